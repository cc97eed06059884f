"""Samples and contact sheets of prepared data."""
