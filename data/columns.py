"""Fast access by row to a prepared part: memory-mapped, or in memory where it is small."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.rows import chunks

IN_MEMORY = 64 * 2**20
"""Columns of at most so many bytes are copied into one array of the trial's own."""


class Column:
    """A column of fixed-size lists; rows are gathered by number.

    A large one stays in the file that all trials have mapped, so that it is in memory once.
    """

    def __init__(self, parts: list[npt.NDArray[Any]]) -> None:
        if sum(part.nbytes for part in parts) <= IN_MEMORY:
            parts = [np.concatenate(parts)]
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """The rows of these numbers as (len(rows), length)."""
        if len(self._parts) == 1:
            return self._parts[0][rows]
        chunk = np.searchsorted(self._starts, rows, side="right") - 1
        out = np.empty((len(rows), self._parts[0].shape[1]), dtype=self._parts[0].dtype)
        for place, (number, row) in enumerate(zip(chunk, rows, strict=True)):
            out[place] = self._parts[number][row - self._starts[number]]
        return out


class Part:
    """One or several prepared parts as one: `ids`, `labels` (in memory) and the content column."""

    def __init__(self, paths: Sequence[Path], column: str) -> None:
        tables = [datasets.load_from_disk(str(path)).data.table for path in paths]
        self.ids = _numbers(tables, "id")
        self.labels = _numbers(tables, "label")
        self.content = Column([part for table in tables for part in chunks(table.column(column))])

    def __len__(self) -> int:
        return len(self.ids)


def _numbers(tables: Sequence[pa.Table], column: str) -> npt.NDArray[np.int64]:
    """A column of whole numbers, over all tables."""
    return np.concatenate([table.column(column).to_numpy() for table in tables])
