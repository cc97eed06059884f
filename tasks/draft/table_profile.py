"""What stands in a file of rows: its columns, and what each of them is like."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from conf.runtime.errors import BadInput
from conf.schema.data import CategoricalColumns
from data.encoding.table_encoder import parse
from data.sources.categories import is_number
from data.sources.column_kinds import Kind
from data.sources.column_values import as_texts
from data.sources.table_file import TableFile, TableFormat
from tasks.draft.file_format import text_format, value_format

ROWS = 100_000
"""Rows that are looked at."""
LONGEST_NUMBER = 40
"""Characters of a number or a date at most."""
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
class ColumnProfile:
    """A column as far as it was looked at."""

    name: str
    values: tuple[str | None, ...]
    """As text; None where missing."""
    kind: Kind
    """What the file holds in it."""
    written: Mapping[str, Any] = field(default_factory=dict)
    """How its numbers are written, where they are not plain."""

    @property
    def numeric(self) -> bool:
        """Whether the file holds numbers in it."""
        return self.kind == "number"

    @cached_property
    def there(self) -> list[str]:
        """The values that are not missing."""
        return [value for value in self.values if value is not None]

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
        spec = {"kind": "number", **self.written}
        return self.numeric and any(not parse(v, spec).is_integer() for v in self.counts)

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
        if (
            self.numeric
            or self.is_text
            or self.is_time
            or self.between == ""
            or self.kind == "other"
        ):
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
    def is_time(self) -> bool:
        """Whether it holds dates, times of day or durations."""
        return self.kind in ("datetime", "time", "duration")

    @property
    def is_number_a_row(self) -> bool:
        """Whether it only counts or names the rows."""
        whole = not self.is_time and not self.fractions and len(self.there) > 2
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
    columns: tuple[ColumnProfile, ...]
    rows: int
    whole: bool
    """Whether all rows were looked at."""
    settings: dict[str, Any]
    """How it is read, as far as that is not the default: `encoding`, `separator`, `missing`, ..."""

    @property
    def headless(self) -> bool:
        """Whether the line of names looks like a row: a word that its own column holds, too, or
        numbers alone."""
        if self.path.suffix.lower() not in (".csv", ".tsv"):
            return False
        words = [column for column in self.columns if not column.numeric]
        numbers = all(map(is_number, (column.name for column in self.columns)))
        return any(c.counts[c.name.strip()] > 1 for c in words) or (not words and numbers)

    def column(self, name: str) -> ColumnProfile:
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
    """Look at a table's first rows; columns are of the kinds that the whole file has.

    Raises:
        BadInput: it is no table, or an empty one.
    """
    settings = text_format(path)
    file = TableFile(path, TableFormat.of(settings))
    if more := value_format(_distinct(file)):
        settings |= more
        file = TableFile(path, TableFormat.of(settings))
    some, rows = [], 0
    batches = file.batches()
    while rows < ROWS and (batch := next(batches, None)) is not None:
        some.append(batch)
        rows += batch.num_rows
    if not rows:
        raise BadInput(f"{path} has no rows")
    columns = [
        ColumnProfile(
            name,
            tuple(value for part in some for value in as_texts(part.column(name)).to_pylist()),
            kind,
            file.layout.numbers,
        )
        for name, kind in file.kinds.items()
    ]
    return Sheet(path, tuple(columns), rows, next(batches, None) is None, settings)


def _distinct(file: TableFile) -> dict[str, set[str]]:
    """The distinct values of columns of text, as far as these could be numbers or dates."""
    texts = [name for name, kind in file.kinds.items() if kind == "text"]
    values: dict[str, set[str]] = {name: set() for name in texts}
    if not texts:
        return {}
    for batch in file.batches(texts):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name in values:
                values[name].update(as_texts(column).drop_null().unique().to_pylist())
                if any(len(value) > LONGEST_NUMBER for value in values[name]):
                    del values[name]
    return values


def first_line(path: Path, settings: dict[str, Any]) -> list[str]:
    """The fields of a TSV's first line."""
    with path.open(encoding=settings.get("encoding", "utf-8")) as file:
        return file.readline().rstrip("\r\n").split("\t")
