"""Rows of a prepared part as their source gave them: what the registered model is asked with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.sources.rows import CONTENT, matrix
from tasks.packaging import table_frame
from tasks.packaging.torch_export import raw_shape


@dataclass(frozen=True)
class RawRows:
    """Some rows: `ids` and `targets` are int64[n] (of numbers `targets` float64[n], of labels
    int64[n, labels]), `values`
    float64[n, *raw shape], of texts strings[n], of tables with words a frame.

    Of pairs `values` are the sources and `targets` the targets: texts, as arrays of objects.
    """

    ids: NDArray[np.int64]
    targets: NDArray[Any]
    values: Any
    second: NDArray[Any] | None = None
    """Targets of a second answer, likewise."""


def read_rows(part: Path, inputs: Mapping[str, Any]) -> RawRows:
    """All rows of a part.

    Args:
        part: folder written by `prepare`.
        inputs: the card's, which say what a raw row is.
    """
    table = datasets.load_from_disk(str(part)).data.table
    if inputs["kind"] == "pairs":
        texts = [np.array(table.column(n).to_pylist(), dtype=object) for n in CONTENT["pairs"]]
        return RawRows(table.column("id").to_numpy(), targets=texts[1], values=texts[0])
    (content,) = CONTENT[inputs["kind"]]
    column = table.column(content)
    values: Any
    if inputs["kind"] == "text":
        values = np.array(column.to_pylist(), dtype=object)
    elif table_frame.has_words(inputs):
        values = table_frame.frame(matrix(column), inputs)
    else:
        values = matrix(column).astype(np.float64).reshape(-1, *raw_shape(inputs))
    label = table.column("label")
    several = pa.types.is_fixed_size_list(label.type)
    targets = matrix(label) if several else label.to_numpy()
    return RawRows(
        ids=table.column("id").to_numpy(),
        targets=targets if targets.dtype.kind == "f" else targets.astype(np.int64),
        values=values,
        second=table.column("second").to_numpy() if "second" in table.column_names else None,
    )
