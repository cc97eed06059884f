"""The trial engine: the only room that starts trials."""
