"""Versions and aliases in the MLflow model registry."""
