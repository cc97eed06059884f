"""Which reader belongs to which `data.source`."""

from __future__ import annotations

from conf.data import Data
from data.sources.base import Source
from data.sources.builtin import BuiltinSource


def open_source(data: Data) -> Source:
    """The reader for a `data` section; nothing is read yet."""
    return BuiltinSource(data)
