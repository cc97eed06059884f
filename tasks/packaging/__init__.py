"""Packaging: from trained weights to a served MLflow model."""
