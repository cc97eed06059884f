"""Drift monitoring: compare new rows, and the champion's predictions, with its reference data."""
