"""A study as one file: packed here, restored elsewhere."""
