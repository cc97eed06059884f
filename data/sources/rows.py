"""Rows as a source hands them over: an Arrow table and what its columns mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from conf.runtime.types import Bools, Floats, Ints
from data.encoding.table_encoder import ColumnSpec

Kind = Literal["image", "table", "text", "pairs"]

EXAMPLES = 5
"""Rows that a report names at most."""

# Columns of at most so many bytes are copied into one array.
IN_MEMORY = 64 * 2**20
# The columns that carry a row's content, by kind of data.
CONTENT: dict[str, tuple[str, ...]] = {
    "image": ("image",),
    "table": ("features",),
    "text": ("text",),
    "pairs": ("source", "target"),
}


@dataclass(frozen=True)
class Report:
    """What one cleaning rule did."""

    rule: str
    rows_in: int
    rows_out: int
    changed: int = 0
    """Rows that stayed, with another content."""
    examples: tuple[str, ...] = ()
    """A few of the rows that were removed, changed or flagged, as sentences."""
    flagged: int = 0
    """Rows that are reported and left as they are."""

    def as_json(self) -> dict[str, Any]:
        """The rule's line in the card."""
        return {
            "rule": self.rule,
            "in": self.rows_in,
            "out": self.rows_out,
            "changed": self.changed,
            "flagged": self.flagged,
            "examples": list(self.examples),
        }


@dataclass(frozen=True)
class Rows:
    """Rows of one data set before or after cleaning.

    Columns of `table`:

    - `id`: int64, number of the row in the source;
    - `label`: string, or float64 where a number is predicted; null where missing; not of pairs;
    - `second`: the auxiliary target, likewise, where there is one;
    - `row` (string, hash of every column of the file), `group` (string), `time` (float64) and
      `part` (string, name of the split), where the source has them;
    - the content by kind: `features` (fixed-size list of float64), `text`, or `source` and
      `target`. Images are large, so they stay in `pixels` and `place` (int64) is their index.
    """

    kind: Kind
    table: pa.Table
    shape: tuple[int, ...] = ()
    """Height, width and channels of an image; the number of features of a table."""
    high: float = 255.0
    """Largest value a pixel can take."""
    names: tuple[str, ...] = ()
    """Names of a table's features."""
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Categories by column, in the order of their codes in `features`; empty once fitted."""
    specs: tuple[ColumnSpec, ...] = ()
    """Of a table in a file: how each raw column is encoded (`data.encoding.table_encoder`). Before
    the categories are fitted a column is one feature, afterwards as many as it has inputs."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Columns of the file that no model sees, and why."""
    classes: tuple[str, ...] = ()
    """Names of the classes in their order; empty when they follow from the labels."""
    pixels: FixedListColumn | None = None
    """All images of the source, uint8 of height x width x channels."""
    reports: tuple[Report, ...] = ()
    """What reading itself removed."""
    read: int | None = None
    """Rows found in the source, those removed while reading included; all rows when None."""

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def has(self, column: str) -> bool:
        """Whether the table has a column."""
        return column in self.table.column_names

    def strings(self, column: str) -> npt.NDArray[np.object_]:
        """A text column, None where missing."""
        return np.array(self.table.column(column).to_pylist() or [], dtype=object)

    def labels(self) -> npt.NDArray[np.object_]:
        """The labels, None where missing."""
        return self.strings("label")

    def ids(self) -> Ints:
        """Each row's number in the source."""
        return self.table.column("id").to_numpy()

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Of a table whose categories are fitted: the categories that have an input, by column."""
        return {spec["name"]: tuple(spec["levels"]) for spec in self.specs if "levels" in spec}

    def features(self) -> Floats:
        """A table's features, (rows, features)."""
        return matrix(self.table.column("features"))

    def numbers(self) -> Floats:
        """Those of a table's features that are no categories, (rows, numbers)."""
        categories = sum(map(len, self.levels.values()))
        return self.features()[:, : len(self.names) - categories].astype(np.float64)

    def images(self, first: int = 0, last: int | None = None) -> npt.NDArray[np.uint8]:
        """Images of the rows `first` to `last`, (rows, height, width, channels)."""
        assert self.pixels is not None
        places = self.table.column("place").to_numpy()[first:last]
        return self.pixels.take(places).reshape(-1, *self.shape)

    def blocks(self, size: int = 512) -> Iterator[npt.NDArray[np.uint8]]:
        """All images, so many rows at a time."""
        for first in range(0, len(self), size):
            yield self.images(first, first + size)

    def keep(self, mask: Bools) -> Rows:
        """The rows for which the mask is true."""
        if mask.all():
            return self
        return replace(self, table=self.table.filter(pa.array(mask)))

    def put(self, column: str, values: pa.Array) -> Rows:
        """The rows with one column added or replaced."""
        names = self.table.column_names
        if column not in names:
            return replace(self, table=self.table.append_column(column, values))
        return replace(self, table=self.table.set_column(names.index(column), column, values))


class FixedListColumn:
    """A column of fixed-size lists; rows are gathered by number.

    A large one stays in the file that all processes have mapped, so that it is in memory once; one
    of at most `IN_MEMORY` bytes is copied into one array.
    """

    def __init__(self, parts: list[npt.NDArray[Any]]) -> None:
        if len(parts) > 1 and sum(part.nbytes for part in parts) <= IN_MEMORY:
            parts = [np.concatenate(parts)]
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def length(self) -> int:
        """Numbers per row."""
        return int(self._parts[0].shape[1])

    def take(self, rows: Ints) -> npt.NDArray[Any]:
        """The rows of these numbers as (len(rows), length)."""
        if len(self._parts) == 1:
            return self._parts[0][rows]
        chunk = np.searchsorted(self._starts, rows, side="right") - 1
        out = np.empty((len(rows), self._parts[0].shape[1]), dtype=self._parts[0].dtype)
        for place, (number, row) in enumerate(zip(chunk, rows, strict=True)):
            out[place] = self._parts[number][row - self._starts[number]]
        return out


def describe(rows: Rows, mask: Bools, reason: str) -> tuple[str, ...]:
    """A few of the marked rows, each by its number in the source and the reason."""
    return tuple(f"row {number}: {reason}" for number in rows.ids()[mask][:EXAMPLES])


def drop(rows: Rows, mask: Bools, rule: str, reason: str) -> tuple[Rows, Report]:
    """Remove the marked rows; the remaining rows and the rule's report."""
    kept = rows.keep(~mask)
    return kept, Report(rule, len(rows), len(kept), examples=describe(rows, mask, reason))


def finite(values: npt.NDArray[Any]) -> Floats:
    """Features of (rows, features) as float64; an infinite number is missing: NaN."""
    return np.where(np.isfinite(values), values, np.nan).astype(np.float64)


def fixed_list(values: npt.NDArray[Any]) -> pa.FixedSizeListArray:
    """An array of (rows, length) as an Arrow column of fixed-size lists, without a copy."""
    flat = np.ascontiguousarray(values).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), values.shape[1])


def matrix(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """A column of fixed-size lists as one array of (rows, length)."""
    parts = chunks(column)
    if len(parts) == 1:
        return parts[0]
    length = column.type.list_size
    empty = np.empty((0, length), dtype=column.type.value_type.to_pandas_dtype())
    return np.concatenate(parts) if parts else empty


def chunks(column: pa.ChunkedArray) -> list[npt.NDArray[Any]]:
    """A column of fixed-size lists as views of (rows, length), one a chunk, without a copy."""
    length = column.type.list_size
    # `flatten` honours a chunk's offset, `values` does not.
    return [
        chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, length)
        for chunk in column.chunks
        if len(chunk)
    ]
