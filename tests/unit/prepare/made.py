"""Small sources made by the tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from data.sources.rows import Rows, fixed_list


def table_rows(features: np.ndarray, labels: Sequence[str | None]) -> Rows:
    """Rows of a table with one feature a column."""
    columns = {
        "id": pa.array(np.arange(len(labels), dtype=np.int64)),
        "label": pa.array(list(labels), type=pa.string()),
        "features": fixed_list(np.asarray(features, dtype=np.float32)),
    }
    width = features.shape[1]
    return Rows("table", pa.table(columns), (width,), names=tuple(f"f{i}" for i in range(width)))


def random_rows(counts: Sequence[int], seed: int = 0) -> Rows:
    """Distinct rows of three features, so many a class."""
    labels = [str(c) for c, n in enumerate(counts) for _ in range(n)]
    return table_rows(np.random.default_rng(seed).normal(size=(len(labels), 3)), labels)


class MadeSource:
    """A source whose rows the test gives; it counts how often it is read."""

    def __init__(self, rows: Rows, file: Path) -> None:
        file.write_text("made")
        self.rows, self.files, self.facts = rows, [file], {"place": "made"}
        self.reads, self.pinned = 0, ""

    def read(self, scratch: Path) -> Rows:
        self.reads += 1
        return self.rows
