"""How a table file is written: encoding, separator, markers of missing values, numbers, dates.

What is not the default goes into the drafted study, so that a person sees and can change it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from data.encoding.table_encoder import number_pattern
from data.sources.table_file import container_of

MARKERS = (
    "na",
    "n/a",
    "#n/a",
    "nan",
    "null",
    "none",
    "nil",
    "-",
    "--",
    "?",
    ".",
    "missing",
    "unknown",
)
"""Texts that often mean a missing value; taken as such only among numbers or dates."""
UNITS = ("$", "€", "£", "¥", "%", "EUR", "USD", "CHF")
DATES = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%d.%m.%y",
    "%d %b %Y", "%b %d, %Y", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M",
    "%Y/%m/%d %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S",
)  # fmt: skip
STYLES: tuple[dict[str, Any], ...] = (
    {"decimal": ".", "thousands": ","},
    {"decimal": ",", "thousands": "."},
    {"decimal": ",", "thousands": " "},
    {"decimal": ",", "thousands": None},
    {"decimal": ".", "thousands": "'"},
    {"decimal": ".", "thousands": None},
)
"""Ways to write a number, the most usual first; English where both would do."""


def text_format(path: Path) -> dict[str, Any]:
    """Settings `encoding` and `separator`, where they are not the default."""
    if container_of(path) not in ("csv", "tsv", "jsonl") or path.suffix.lower() in (
        ".gz",
        ".bz2",
        ".xz",
        ".zst",
    ):
        return {}
    with path.open("rb") as file:
        start = file.read(2**20)
    settings: dict[str, Any] = {}
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        settings["encoding"] = "utf-16"
    elif not _is_utf8(start):
        settings["encoding"] = "gb18030" if _is_chinese(start) else "cp1252"
    if container_of(path) == "csv":
        head = start.decode(settings.get("encoding", "utf-8"), errors="replace").partition("\n")[0]
        separator = max(",;\t|", key=head.count)
        if separator != "," and head.count(separator):
            settings["separator"] = separator
    return settings


def value_format(columns: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """Settings `missing`, `numbers` and `dates` that make columns of text numbers or dates.

    Args:
        columns: the distinct written values of each column that is text so far.
    """
    settings: dict[str, Any] = {}
    markers: dict[str, None] = {}
    for values in columns.values():
        there = [value for value in values if value.strip().lower() not in MARKERS]
        if not there:
            continue
        style = _style(there)
        if style is not None and style != {} and "numbers" not in settings:
            settings["numbers"] = style
        written = None if style is not None else _date_format(there)
        if written and "dates" not in settings:
            settings["dates"] = written
        if style is not None or written is not None:
            markers.update(dict.fromkeys(sorted(set(values) - set(there))))
    if markers:
        settings["missing"] = list(markers)
    return settings


def _style(values: Sequence[str]) -> dict[str, Any] | None:
    """How numbers are written, empty for plain ones; None where the values are no numbers."""
    if _match(values, {}):
        return {}
    units = [unit for unit in UNITS if any(unit in value for value in values)]
    for style in STYLES:
        marks = {**style, "units": units}
        if _match(values, marks):
            plain: dict[str, Any] = {"decimal": ".", "thousands": None, "units": []}
            used = {name: value for name, value in marks.items() if value != plain[name]}
            return used
    return None


def _match(values: Iterable[str], spec: Mapping[str, Any]) -> bool:
    pattern = re.compile(number_pattern(spec))
    return all(pattern.fullmatch(value) for value in values)


def _date_format(values: Sequence[str]) -> str | None:
    """The `strptime` format of dates, empty for ISO; None where the values are no dates."""
    if all(_is_date(value, None) for value in values):
        return ""
    fitting = (written for written in DATES if all(_is_date(value, written) for value in values))
    return next(fitting, None)


def _is_date(value: str, written: str | None) -> bool:
    try:
        if written is None:
            datetime.fromisoformat(value.strip())
        else:
            datetime.strptime(value.strip(), written)
    except ValueError:
        return False
    return not value.strip().isdigit() or written == "%Y%m%d"


def _is_utf8(start: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(start: bytes) -> bool:
    """Whether bytes that are no UTF-8 look like Chinese, whose letters are pairs of high bytes; of
    Western ones high bytes mostly stand alone."""
    high = [byte > 127 for byte in start]
    beside = sum(one and other for one, other in pairwise(high))
    return beside > 0.5 * sum(high)
