"""Cleaning rules: duplicates, labels, texts, personal data."""
