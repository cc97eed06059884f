"""Raw rows of a prepared split, as the registered model takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf.runtime.types import Ints
from data.card import ImageInputs, Inputs, TableInputs, VectorInputs
from data.sources.rows import CONTENT, matrix
from tasks.packaging import table_frame

if TYPE_CHECKING:
    from tasks.packaging.table_frame import RawValues


@dataclass(frozen=True)
class RawRows:
    """Some rows with their targets."""

    ids: Ints
    """int64[n]."""
    targets: NDArray[Any]
    """Classes int64[n]; labels int64[n, labels]; numbers float64[n]; target texts object[n]."""
    values: RawValues
    """float64[n, *raw_shape]; texts object[n]; a frame where columns are categorical."""
    second: NDArray[Any] | None = None
    """The auxiliary target, as `targets`."""


def raw_shape(inputs: VectorInputs) -> tuple[int, ...]:
    """Shape of one raw row: (height, width[, channels]) of an image, (features,) of a table.

    `inputs` is that of the data set card.
    """
    if isinstance(inputs, TableInputs):
        return (inputs.features,)
    shape = (inputs.height, inputs.width)
    channels = inputs.channels
    return shape if channels == 1 else (*shape, channels)


def read_rows(part: Path, inputs: Inputs) -> RawRows:
    """All rows of a split.

    Args:
        part: folder written by `prepare`.
        inputs: of the data set card.
    """
    table = datasets.load_from_disk(str(part)).data.table
    if inputs.kind == "pairs":
        texts = [np.array(table.column(n).to_pylist(), dtype=object) for n in CONTENT["pairs"]]
        return RawRows(table.column("id").to_numpy(), targets=texts[1], values=texts[0])
    (content,) = CONTENT[inputs.kind]
    column = table.column(content)
    values: RawValues
    if inputs.kind == "text":
        values = np.array(column.to_pylist(), dtype=object)
    elif table_frame.has_columns(inputs):
        values = table_frame.frame(matrix(column), inputs)
    else:
        assert isinstance(inputs, ImageInputs | TableInputs)
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
