"""Importance and partial dependence of the searched settings."""
