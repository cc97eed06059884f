"""Final training, score on the test split, predictions and metrics on files."""
