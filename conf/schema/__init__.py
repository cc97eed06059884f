"""The sections of a study: one frozen, bounded pydantic model each."""
