"""Metrics from predictions."""
