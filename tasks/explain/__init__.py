"""Explain a champion's predictions on rows of the test split, for the study's page."""
