"""The record in MLflow: a projection of a study's journal and its trials' folders.

Nothing is kept in MLflow alone: delete its database, and `sync` writes the same record again.
"""
