"""Data sources: readers of tables, images, texts and text pairs, chosen by `data.source`."""

from data.sources.base import Source
from data.sources.registry import open_source

__all__ = ["Source", "open_source"]
