"""Data sources: readers of tables, images, texts and text pairs, chosen by `data.source`."""

from data.sources.registry import Source, open_source

__all__ = ["Source", "open_source"]
