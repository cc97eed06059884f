"""The command `dense`."""
