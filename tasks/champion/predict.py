"""Answers of the champion for the rows of a file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conf.errors import BadInput
from tasks.champion import registry

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.pyfunc import PyFuncModel

READS = (".npy", ".csv", ".parquet")


def predict_file(client: MlflowClient, model: str, file: Path) -> pd.DataFrame:
    """Label and probabilities, a line a row of the file.

    Args:
        client: of the registry.
        model: registered model, whose champion answers.
        file: raw rows: `.npy` of shape (n, ...), or `.csv` and `.parquet` with a column a value,
            found by name where the model's features have names.

    Raises:
        BadInput: there is no champion, or the file does not hold rows that it takes.
    """
    if file.suffix not in READS:
        raise BadInput(f"{file} is no {', '.join(READS)} file; save the rows as one of them")
    version = registry.aliased(client, model)
    if version is None:
        raise BadInput(f"there is no champion {model!r}; `dense run` its study to its end first")
    with tempfile.TemporaryDirectory() as folder:
        loaded = _loaded(client.download_artifacts(version.run_id, "model", folder))
        rows = read_file(file, loaded.metadata.metadata["inputs"], _shape(loaded))
        return loaded.predict(rows)


def read_file(file: Path, inputs: Mapping[str, Any], shape: Sequence[int]) -> NDArray[np.float64]:
    """Raw rows of a file as float64[n, *shape].

    Raises:
        BadInput: the file cannot be read, or holds other rows.
    """
    try:
        if file.suffix == ".npy":
            rows = np.asarray(np.load(file, allow_pickle=False), dtype=np.float64)
        else:
            rows = _columns(file, inputs.get("names"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} cannot be read as rows of numbers: {error}") from error
    if len(rows) == 0:
        raise BadInput(f"{file} has no rows; give at least one")
    if rows.shape[1:] != tuple(shape) and rows[0].size != int(np.prod(shape)):
        raise BadInput(
            f"{file} has rows of shape {rows.shape[1:]}, but the model takes {tuple(shape)}"
        )
    return rows.reshape(-1, *shape)


def _columns(file: Path, names: Sequence[str] | None) -> NDArray[np.float64]:
    import pandas as pd

    frame = pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
    if names:
        if missing := [name for name in names if name not in frame]:
            raise ValueError(f"column {missing[0]!r} is missing; it has {', '.join(frame)}")
        frame = frame[list(names)]
    return frame.to_numpy(dtype=np.float64)


def _loaded(folder: str) -> PyFuncModel:
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(folder)


def _shape(model: PyFuncModel) -> tuple[int, ...]:
    return tuple(model.metadata.get_input_schema().inputs[0].shape[1:])
