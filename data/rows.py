"""Rows as a source hands them over: an Arrow table and what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Kind = Literal["image", "table", "text", "pairs"]

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
    """Rows that stayed but were mended."""
    examples: tuple[str, ...] = ()
    """A few of the rows removed or mended, in words."""

    def as_json(self) -> dict[str, Any]:
        """The rule's line in the card."""
        return {
            "rule": self.rule,
            "in": self.rows_in,
            "out": self.rows_out,
            "changed": self.changed,
            "examples": list(self.examples),
        }


@dataclass(frozen=True)
class Rows:
    """Rows of one data set before or after cleaning.

    `table` has `id` (int64, the row's number in the source), `label` (string, may be null; absent
    for pairs) and the content columns of its kind: `image` (fixed-size list of uint8, height x
    width x channels), `features` (fixed-size list of float32), `text`, or `source` and `target`.
    """

    kind: Kind
    table: pa.Table
    shape: tuple[int, ...] = ()
    """Height, width and channels of an image; the number of features of a table."""
    high: float = 255.0
    """Largest value a pixel can take."""
    names: tuple[str, ...] = ()
    """Names of a table's features."""
    classes: tuple[str, ...] = ()
    """Names of the classes in their order; empty when they follow from the labels."""
    reports: tuple[Report, ...] = ()
    """What reading itself removed."""

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def labels(self) -> npt.NDArray[np.object_]:
        """The labels, None where missing."""
        return np.array(self.table.column("label").to_pylist(), dtype=object)

    def matrix(self, column: str) -> npt.NDArray[Any]:
        """A fixed-size list column as an array of (rows, length)."""
        return matrix(self.table.column(column))

    def keep(self, mask: npt.NDArray[np.bool_]) -> Rows:
        """The rows for which the mask is true."""
        if mask.all():
            return self
        return replace(self, table=self.table.filter(pa.array(mask)))


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
