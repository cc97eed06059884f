"""Final training, test score, predictions and metrics on files."""
