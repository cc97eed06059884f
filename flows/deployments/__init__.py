"""Flows and hooks of Prefect deployments beside the study itself."""
