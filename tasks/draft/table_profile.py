"""What stands in a file of rows: its columns, and what each of them is like."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from conf.runtime.errors import BadInput
from conf.schema.data import CategoricalColumns
from data.encoding.one_hot import MISSING
from data.sources.categories import is_number
from data.sources.tabular_files import Broken, batches, columns_of

ROWS = 100_000
"""Rows that are looked at."""
SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
DATE = re.compile(r"\s*(\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4})\b(?!\.)")
AMOUNT = re.compile(r"[-+]?[$€£¥]?\s?\d[\d.,\u202f ]*\s?[$€£¥%]?")
"""A number that is written for people: 1.234,50 or $5 or 12 %."""
RARE, MOST_WORDS = CategoricalColumns().rare, CategoricalColumns().most
BETWEEN = "|;,"
"""What may stand between the labels of a cell."""
SOME = 5_000
"""Cells that are looked at for that."""
SEVERAL = 0.1
"""Share of cells with two labels or more beyond which a column holds any number of them, and most
labels as a share of all that stand in its cells."""
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

    @cached_property
    def between(self) -> str | None:
        """What stands between the labels of a cell, where cells hold any number of them: some one,
        some several, out of a few that come back in ever new company. Of lists it is empty."""
        some = [] if self.numeric else self.there[:SOME]
        return next((mark for mark in ("", *BETWEEN) if _are_labels(some, mark)), None)

    @cached_property
    def labels(self) -> Counter[str]:
        """Rows of each label, where cells hold any number of them, most first."""
        between = self.between
        cells = [] if between is None else [_divided(value, between) for value in self.there]
        return Counter(name for cell in cells for name in cell)

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
        if self.numeric or not self.there or self.between is not None:
            return False
        some = "".join(self.there[:1_000])
        length = sum(map(len, self.there)) / len(self.there)
        letters = sum(letter.isalpha() for letter in some)
        wordy = length >= WORDY and letters > 0.5 * len(some)
        return wordy and len(self.counts) > 0.5 * len(self.there)

    @property
    def is_words(self) -> bool:
        """Whether it holds words that occur often enough to learn from, and are not too many."""
        if self.numeric or self.is_text or self.is_time or self.between == "" or self.is_amounts:
            return False
        often = sum(many >= 2 * RARE for many in self.counts.values())
        return 0 < often <= MOST_WORDS and len(self.counts) < len(self.there)

    @property
    def is_constant(self) -> bool:
        """Whether it is the same in all rows; where a word is missing may be telling."""
        return len(self.counts) == 1 and (self.numeric or not self.missing)

    @property
    def is_flag(self) -> bool:
        """Whether it holds 0 and 1 alone."""
        return self.numeric and self.counts.keys() <= {"0", "1"}

    @property
    def is_amounts(self) -> bool:
        """Whether it holds numbers that are not written as files have them: a comma before the
        fraction or between thousands, a currency, a share in per cent."""
        if self.numeric or self.is_time or not self.there:
            return False
        some = [value.strip() for value in self.there[:1_000]]
        return all(map(AMOUNT.fullmatch, some)) and any(set("$€£¥%,") & set(v) for v in some)

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


def _are_labels(values: list[str], mark: str) -> bool:
    """Whether cells, divided at a mark, are sets of a few labels that each occur often."""
    if sum((mark or "[") in value for value in values) <= SEVERAL * len(values):
        return False
    try:
        cells = [_divided(value, mark) for value in values]
    except ValueError:
        return False
    names, company = Counter(name for cell in cells for name in cell), set(map(tuple, cells))
    several = sum(len(cell) > 1 for cell in cells) > SEVERAL * len(cells)
    alone = any(len(cell) == 1 for cell in cells)
    return several and alone and len(names) < len(company) and len(names) <= SEVERAL * names.total()


def _divided(cell: str, mark: str) -> list[str]:
    """The labels of a cell, each once and by alphabet; of a list where there is no mark."""
    given = cell.split(mark) if mark else json.loads(cell)
    if not isinstance(given, list):
        raise ValueError(f"{cell} is no list")
    return sorted({str(name).strip() for name in given} - {""})


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

    @property
    def headless(self) -> bool:
        """Whether the line of names looks like a row: a word that its own column holds, too, or
        numbers alone."""
        if self.path.suffix.lower() not in (".csv", ".tsv"):
            return False
        words = [column for column in self.columns if not column.numeric]
        numbers = all(map(is_number, (column.name for column in self.columns)))
        return any(c.counts[c.name.strip()] > 1 for c in words) or (not words and numbers)

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
    plain = {name: kind for name, kind in kinds.items() if _is_read(kind)}
    types = {name: _as_text(kind, path) for name, kind in plain.items()}
    found = batches(path, types, Broken(), **how)  # type: ignore[arg-type]
    some, rows = [], 0
    while rows < ROWS and (batch := next(found, None)) is not None:
        some.append(batch)
        rows += batch.num_rows
    if not rows:
        raise BadInput(f"{path} has no rows")
    columns = [
        Column(
            name,
            tuple(_text(value) for batch in some for value in batch.column(name).to_pylist()),
            pa.types.is_integer(kind) or pa.types.is_floating(kind),
        )
        for name, kind in plain.items()
    ]
    return Sheet(path, tuple(columns), rows, next(found, None) is None, settings)


def _is_read(kind: pa.DataType) -> bool:
    words = pa.types.is_list(kind) and pa.types.is_string(kind.value_type)
    return words or not pa.types.is_nested(kind)


def _as_text(kind: pa.DataType, path: Path) -> pa.DataType:
    """As what a column is read; a list in JSON lines is read as its JSON."""
    lists = pa.types.is_list(kind) and path.suffix.lower() == ".parquet"
    return pa.list_(pa.string()) if lists else pa.string()


def _text(value: Any) -> str | None:
    return json.dumps(value) if isinstance(value, list) else value


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
