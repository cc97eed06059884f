"""The record in MLflow: the only room that talks to it."""
