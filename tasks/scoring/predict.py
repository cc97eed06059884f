"""Predictions of a registered model for the rows of a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from conf.runtime.errors import BadInput
from data.card import parse_inputs
from tasks.packaging.package import compare_requirements_by_name, package_metadata
from tasks.packaging.table_frame import has_columns, read_frame
from tasks.registry import aliases
from tasks.registry.promote import meant
from tasks.scoring.answers import answer_rows
from tasks.scoring.read_files import read_file, read_texts

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.pyfunc import PyFuncModel

    from tasks.packaging.table_frame import RawValues


def predict_file(
    client: MlflowClient,
    model: str,
    file: Path,
    which: str = aliases.CHAMPION,
    *,
    strict: bool = False,
) -> tuple[pd.DataFrame, list[str]]:
    """Predict the rows of a file with a registered model.

    Args:
        client: of the registry.
        model: name of the registered model.
        file: raw rows, as `tasks.scoring.read_files` reads them.
        which: the version, by alias or number.
        strict: refuse the file if one row cannot be answered.

    Returns:
        One line per row, of a folder of images with a first column `file`, with a last column
        `reason` where rows have no answer; and remarks on such rows and on unknown categories.

    Raises:
        BadInput: there is no such version, or the file holds no row that it accepts.
    """
    if not file.exists():
        raise BadInput(f"there is no file {file}")
    version = meant(client, model, which)
    with tempfile.TemporaryDirectory() as folder:
        loaded = loaded_version(client, version, folder)
        rows, names = rows_of(loaded, file)
        inputs = parse_inputs(package_metadata(loaded)["inputs"])
        answers = answer_rows(loaded, rows, inputs, str(file))
    if strict and answers.reasons:
        raise BadInput(f"{file}: {answers.remarks()[0]}; correct them, or leave out --strict")
    frame = answers.whole()
    if names:
        frame.insert(0, "file", list(names))
    return frame, answers.remarks()


def rows_of(model: PyFuncModel, file: Path) -> tuple[RawValues | list[str | None], tuple[str, ...]]:
    """Raw rows of a file as the model takes them, and the file name of each image."""
    facts = package_metadata(model)
    data, inputs = facts["config"]["data"], parse_inputs(facts["inputs"])
    if inputs.kind in ("text", "pairs"):
        return read_texts(file, data.get("text") or data.get("source_column"), data), ()
    if has_columns(inputs):
        return read_frame(file, inputs, data), ()
    rows = read_file(file, inputs, _shape(model), data)
    return rows.values, rows.names


def loaded_version(client: MlflowClient, version: ModelVersion, folder: str) -> PyFuncModel:
    """Download and load a registered version.

    Args:
        client: of the registry.
        version: to load.
        folder: receives the files.

    Raises:
        BadInput: it was not registered by dense, or its files are gone.
    """
    import mlflow.pyfunc
    from mlflow.exceptions import MlflowException

    compare_requirements_by_name()
    what = f"version {version.version} of {version.name!r}"
    if "dense.digest" not in version.tags:
        raise BadInput(
            f"{what} was not registered by dense, so its input format is unknown; "
            "load it with mlflow.pyfunc"
        )
    try:
        path = client.download_artifacts(str(version.run_id), "model", folder)
        return mlflow.pyfunc.load_model(path)
    except (MlflowException, OSError) as error:
        raise BadInput(
            f"the files of {what} cannot be read from its run {version.run_id} ({error}); "
            "promote a version whose files exist"
        ) from error


def _shape(model: PyFuncModel) -> tuple[int, ...]:
    return tuple(model.metadata.get_input_schema().inputs[0].shape[1:])
