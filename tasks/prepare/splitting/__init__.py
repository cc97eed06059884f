"""Splits into train, validation and test; leakage between them."""
