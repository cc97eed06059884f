"""The content-addressed store of prepared data."""
