"""The source for each value of `data.source`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from conf.runtime.home import Home
from conf.schema.clean import Clean
from conf.schema.data import (
    BuiltinData,
    Data,
    HubData,
    ImagesData,
    PackageData,
    PairsData,
    TableData,
)
from data.sources.base import Source
from data.sources.builtin import BuiltinSource
from data.sources.hub import HubSource
from data.sources.images import ImagesSource
from data.sources.package import PackageSource
from data.sources.table import TableSource
from data.sources.text_pairs import PairsSource


def open_source(data: Data, clean: Clean, home: Home) -> Source:
    """The source for a `data` section; no row is read or fetched yet.

    Raises:
        BadInput: a path is outside the permitted folders, or does not exist.
    """
    match data:
        case BuiltinData():
            return BuiltinSource(data)
        case TableData():
            return TableSource(data, home)
        case ImagesData():
            return ImagesSource(data, clean.images, home)
        case PairsData():
            return PairsSource(data, home)
        case HubData():
            return HubSource(data, clean.images, home)
        case PackageData():
            return PackageSource(data, clean.images, home)
        case _:
            return own_source(data, home)


def own_source(data: Any, home: Home) -> Source:
    """The source that `data/sources/own/<source>.py` defines.

    `source` comes from the closed union in `conf.schema.data`, so no other module can be imported.
    """
    source: Source = import_module(f"data.sources.own.{data.source}").open_source(data, home)
    return source
