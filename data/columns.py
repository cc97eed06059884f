"""Fast access by row to the prepared parts: memory-mapped, or in memory where they are small."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.rows import Column, chunks


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
