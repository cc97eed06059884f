"""Read prepared splits by row: memory-mapped, or in memory where they are small."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa

from conf.runtime.types import Ints
from data.sources.rows import FixedListColumn, chunks, matrix


class Ragged:
    """A column of int lists of different lengths; nothing is copied."""

    def __init__(self, columns: Sequence[pa.ChunkedArray]) -> None:
        blocks = [chunk for column in columns for chunk in column.chunks if len(chunk)]
        self._values = [chunk.values.to_numpy() for chunk in blocks]
        self._offsets = [chunk.offsets.to_numpy() for chunk in blocks]
        self._starts = np.cumsum([0, *(len(chunk) for chunk in blocks)])
        self.lengths: Ints = np.concatenate(
            [np.diff(offsets).astype(np.int64) for offsets in self._offsets]
        )

    def take(self, rows: Ints) -> list[Ints]:
        """The lists of the given rows."""
        chunk = np.searchsorted(self._starts, rows, side="right") - 1
        out = []
        for number, row in zip(chunk, rows - self._starts[chunk], strict=True):
            offsets = self._offsets[number]
            out.append(self._values[number][offsets[row] : offsets[row + 1]])
        return out


class PreparedSplit:
    """One prepared split, or several read as one; columns are opened when they are asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(map(Path, paths))
        self._tables = [datasets.load_from_disk(str(path)).data.table for path in paths]
        self.ids = self.numbers("id")

    def __len__(self) -> int:
        return len(self.ids)

    def has(self, column: str) -> bool:
        """Whether there is such a column."""
        return column in self._tables[0].column_names

    def numbers(self, column: str) -> Ints:
        """A numeric column in memory.

        Returns:
            int64 or float32 of shape (rows,); float32 of shape (rows, length) for a column of
            fixed-size lists, such as the labels of a multilabel data set.
        """
        columns = [table.column(column) for table in self._tables]
        if pa.types.is_fixed_size_list(columns[0].type):
            return np.concatenate([matrix(each) for each in columns]).astype(np.float32)
        values = np.concatenate([each.to_numpy() for each in columns])
        return values.astype(np.float32 if values.dtype.kind == "f" else np.int64)

    def vectors(self, column: str) -> FixedListColumn:
        """A column of fixed-size lists."""
        return FixedListColumn(
            [block for table in self._tables for block in chunks(table.column(column))]
        )

    def lists(self, column: str) -> Ragged:
        """A column of lists of different lengths."""
        return Ragged([table.column(column) for table in self._tables])

    def texts(self, column: str) -> pa.ChunkedArray:
        """A column of texts, mapped."""
        columns = [chunk for table in self._tables for chunk in table.column(column).chunks]
        return pa.chunked_array(columns, type=pa.string())


def auxiliary_targets(split: PreparedSplit) -> Ints | None:
    """Auxiliary target of each row, int64 or float32 of shape (rows,); None where there is none."""
    return split.numbers("second") if split.has("second") else None
