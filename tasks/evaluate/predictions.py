"""What a classifier said about each row, as one Parquet file."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conf.errors import DenseError


@dataclass(frozen=True)
class Predictions:
    """Rows in the order in which they were predicted.

    `ids`, `targets` and `predictions` have shape (rows,), `probabilities` (rows, classes).
    """

    ids: NDArray
    targets: NDArray
    predictions: NDArray
    probabilities: NDArray


def write(path: Path, predictions: Predictions) -> None:
    """Write columns `id`, `target`, `prediction`, `p_0`...; a reader sees the whole file or none.

    Number types are kept, so that what is read gives the same metrics to the last bit.
    """
    import pyarrow as pa
    from pyarrow import parquet

    columns = {
        "id": predictions.ids,
        "target": predictions.targets,
        "prediction": predictions.predictions,
    }
    for index, column in enumerate(np.asarray(predictions.probabilities).T):
        columns[f"p_{index}"] = np.ascontiguousarray(column)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            parquet.write_table(pa.table(columns), file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read(path: Path) -> Predictions:
    """Read what `write` wrote.

    Raises:
        DenseError: the file is missing or not one of predictions.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(path).read()
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
        classes = sum(name.startswith("p_") for name in columns)
        probabilities = np.stack([columns[f"p_{index}"] for index in range(classes)], axis=1)
        return Predictions(columns["id"], columns["target"], columns["prediction"], probabilities)
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise DenseError(
            f"{path} cannot be read as predictions ({error}); remove the trial's folder and run "
            "the study again to train it anew"
        ) from error
