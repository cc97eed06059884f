"""Tokenizers and one-hot encoding."""
