"""The suggestion step: ask for configurations, tell results."""
