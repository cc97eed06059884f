"""What stands in a file of rows: its columns, and what each of them is like."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from conf.data import Words
from conf.errors import BadInput
from data.levels import MISSING
from data.sources.lines import Broken, batches, columns_of

ROWS = 100_000
"""Rows that are looked at."""
SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
DATE = re.compile(r"\s*\d{4}-\d{2}-\d{2}")
RARE, MOST_WORDS = Words().rare, Words().most
WORDY = 12
"""Mean characters from which a column of words, each seen once, is text."""


@dataclass(frozen=True)
class Column:
    """A column as far as it was looked at."""

    name: str
    values: tuple[str | None, ...]
    """As text; None where missing."""
    numeric: bool
    """Whether the file holds numbers in it."""

    @cached_property
    def there(self) -> list[str]:
        """The values that are not missing."""
        return [v for v in self.values if v is not None and v.strip().lower() not in MISSING]

    @cached_property
    def counts(self) -> Counter[str]:
        """Rows of each value, most first."""
        return Counter(value.strip() for value in self.there)

    @property
    def missing(self) -> float:
        """Share of the values that is missing."""
        return 1 - len(self.there) / max(1, len(self.values))

    @cached_property
    def fractions(self) -> bool:
        """Whether it holds numbers that are not whole."""
        return self.numeric and any(not float(value).is_integer() for value in self.counts)

    @property
    def is_text(self) -> bool:
        """Whether it holds sentences: words, nearly every row its own."""
        if self.numeric or not self.there:
            return False
        some = "".join(self.there[:1_000])
        length = sum(map(len, self.there)) / len(self.there)
        letters = sum(letter.isalpha() for letter in some)
        wordy = length >= WORDY and letters > 0.5 * len(some)
        return wordy and len(self.counts) > 0.5 * len(self.there)

    @property
    def is_words(self) -> bool:
        """Whether it holds words that occur often enough to learn from, and are not too many."""
        if self.numeric or self.is_text or self.is_time:
            return False
        often = sum(many >= 2 * RARE for many in self.counts.values())
        return 0 < often <= MOST_WORDS and len(self.counts) < len(self.there)

    @property
    def is_time(self) -> bool:
        """Whether it holds dates."""
        return bool(self.there) and all(DATE.match(value) for value in self.there[:100])

    @property
    def is_number_a_row(self) -> bool:
        """Whether it only counts or names the rows."""
        whole = not self.fractions and len(self.there) > 2
        if not whole or len(self.counts) < len(self.values):
            return False
        plain = self.name.strip().lower().replace("_", "").replace(" ", "")
        named = plain.endswith("id") or plain in ("", "index", "unnamed:0", "no", "nr", "row")
        return named or (not self.numeric and not self.is_text)


@dataclass(frozen=True)
class Sheet:
    """A file of rows."""

    path: Path
    columns: tuple[Column, ...]
    rows: int
    whole: bool
    """Whether all rows were looked at."""
    settings: dict[str, str]
    """How it is read, as far as that is not the default: `encoding`, `separator`."""

    def column(self, name: str) -> Column:
        """The column of a name.

        Raises:
            BadInput: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(repr(column.name) for column in self.columns)
        raise BadInput(f"{self.path} has no column {name!r}; it has {known}")


def read_sheet(path: Path) -> Sheet:
    """Look at a table's first rows.

    Raises:
        BadInput: it is no table, or an empty one.
    """
    settings = _settings(path)
    how = {"encoding": settings.get("encoding", "utf-8"), "separator": settings.get("separator")}
    kinds = columns_of(path, how["separator"], str(how["encoding"]))
    plain = {name: kind for name, kind in kinds.items() if not pa.types.is_nested(kind)}
    found = batches(path, dict.fromkeys(plain, pa.string()), Broken(), **how)  # type: ignore[arg-type]
    some, rows = [], 0
    while rows < ROWS and (batch := next(found, None)) is not None:
        some.append(batch)
        rows += batch.num_rows
    if not rows:
        raise BadInput(f"{path} has no rows")
    columns = [
        Column(
            name,
            tuple(value for batch in some for value in batch.column(name).to_pylist()),
            pa.types.is_integer(kind) or pa.types.is_floating(kind),
        )
        for name, kind in plain.items()
    ]
    return Sheet(path, tuple(columns), rows, next(found, None) is None, settings)


def _settings(path: Path) -> dict[str, str]:
    """The encoding and the separator that a file seems to have."""
    if path.suffix.lower() == ".parquet":
        return {}
    with path.open("rb") as file:
        start = file.read(2**20)
    found: dict[str, str] = {}
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found["encoding"] = "utf-16"
    elif start.startswith(codecs.BOM_UTF8):
        found["encoding"] = "utf-8-sig"
    elif not _is_utf8(start):
        found["encoding"] = "gb18030" if _is_chinese(start) else "cp1252"
    if path.suffix.lower() == ".csv":
        head = start.decode(found.get("encoding", "utf-8"), errors="replace").partition("\n")[0]
        between = max(",;\t|", key=head.count)
        if between != "," and head.count(between):
            found["separator"] = between
    return found


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


def first_line(path: Path, settings: dict[str, Any]) -> list[str]:
    """The fields of a TSV's first line."""
    with path.open(encoding=settings.get("encoding", "utf-8")) as file:
        return file.readline().rstrip("\r\n").split("\t")
