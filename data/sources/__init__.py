"""Sources: each reads rows from one closed kind of place, and says which bytes it read."""

from data.sources.registry import Source, open_source

__all__ = ["Source", "open_source"]
