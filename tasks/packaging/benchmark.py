"""Measurements of a packed model on raw rows: predictions, latency, size, invariance."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.pyfunc import PyFuncModel
from numpy.typing import NDArray

from conf.runtime.types import Ints
from conf.schema.study import TrialConfig
from data.card import ImageInputs, Inputs
from tasks.evaluate.predictions import (
    AnyPredictions,
    AuxiliaryPredictions,
    LabelPredictions,
    NumberPredictions,
    Predictions,
    TextPredictions,
)
from tasks.packaging.package import (
    compare_requirements_by_name,
    package_metadata,
    package_predict,
)
from tasks.packaging.raw_rows import RawRows
from tasks.packaging.records import Candidate, Latency
from tasks.packaging.table_frame import select_rows

if TYPE_CHECKING:
    from tasks.packaging.table_frame import RawValues

MEASURED_CALLS = 100  # per batch size; enough for a 95th percentile
MEASURED_TEXT_CALLS = 20  # text generation takes one step per token
BATCH_SIZES = (1, 32)
WARM_UP = 5  # calls that are not measured
MAX_AUGMENTED = 2_000  # rows


def load(package: Path) -> PyFuncModel:
    """A model folder, loaded as any user of the registry loads it."""
    compare_requirements_by_name()
    return mlflow.pyfunc.load_model(str(package))


def predict(
    model: PyFuncModel, rows: RawRows
) -> Predictions | LabelPredictions | NumberPredictions:
    """Predictions of a classifier, multi-label or regression model, with those of an auxiliary
    target."""
    about = package_metadata(model).get("second")
    first, second = split_columns(package_predict(model, rows.values), about)
    predictions = _predictions(first, rows.ids, rows.targets)
    if about is None or second is None or rows.second is None:
        return predictions
    auxiliary = _predictions(second, rows.ids, rows.second)
    assert not isinstance(auxiliary, LabelPredictions)
    return replace(
        predictions,
        auxiliary=AuxiliaryPredictions(about["name"], auxiliary),
    )


def split_columns(
    answers: pd.DataFrame, second: Mapping[str, Any] | None
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The columns of the target, and those of the auxiliary target without their prefix.

    Args:
        answers: of a packed model.
        second: the model's metadata of the auxiliary target; None if it has none.
    """
    if second is None:
        return answers, None
    prefix = f"{second['name']}/"
    columns = [name for name in answers if name.startswith(prefix)]
    auxiliary = answers[columns].rename(columns=lambda name: name.removeprefix(prefix))
    return answers.drop(columns=columns), auxiliary


def _predictions(
    answers: pd.DataFrame, ids: Ints, targets: NDArray[Any]
) -> Predictions | LabelPredictions | NumberPredictions:
    """The predictions of one target."""
    if "prediction" in answers:
        return NumberPredictions(ids, targets, answers["prediction"].to_numpy())
    probabilities = answers.filter(regex="^p_").to_numpy(dtype=np.float32)
    if "labels" in answers:
        return LabelPredictions(ids, targets, probabilities)
    classes = probabilities.argmax(axis=1).astype(np.int64)
    return Predictions(ids, targets, classes, probabilities)


def generate(model: PyFuncModel, rows: RawRows) -> TextPredictions:
    """The texts that a sequence to sequence model generates."""
    texts = package_predict(model, rows.values)["text"].tolist()
    return TextPredictions(rows.ids, rows.targets.tolist(), texts)


def latencies(model: PyFuncModel, values: RawValues) -> dict[int, Latency]:
    """Latency of a call by its number of rows, after a warm-up."""
    texts = isinstance(values, np.ndarray) and values.dtype == object
    calls = MEASURED_TEXT_CALLS if texts else MEASURED_CALLS
    return {
        count: _latency(model, select_rows(values, np.resize(np.arange(len(values)), count)), calls)
        for count in BATCH_SIZES
    }


def _latency(model: PyFuncModel, rows: RawValues, calls: int) -> Latency:
    seconds = []
    for _ in range(WARM_UP + calls):
        start = time.perf_counter()
        model.predict(rows)
        seconds.append(time.perf_counter() - start)
    p50, p95 = np.quantile(seconds[WARM_UP:], (0.5, 0.95)) * 1000
    return Latency(p50=round(float(p50), 3), p95=round(float(p95), 3))


def megabytes(folder: Path) -> float:
    """Total size of the files in a folder, in MB (10^6 bytes)."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def invariance(
    model: PyFuncModel,
    rows: RawRows,
    predictions: AnyPredictions,
    inputs: Inputs,
    candidate: Candidate,
) -> float | None:
    """Share of rows whose label is unchanged by the study's own augmentations.

    An invariance test in the sense of CheckList (arXiv:2005.04118). The augmentation of a row is a
    function of the candidate's seed and the row's id. None if the study has no augmentation.
    """
    if not isinstance(inputs, ImageInputs):
        return None
    from data.transforms.images import transforms

    if not transforms(candidate.config.augment, inputs.channels):
        return None
    changed = _augmented(rows, inputs, candidate.config, candidate.seed)
    labels = predict(model, changed).predictions
    return float((labels == predictions.predictions[: len(labels)]).mean())


def _augmented(rows: RawRows, inputs: ImageInputs, config: TrialConfig, seed: int) -> RawRows:
    from data.transforms.images import Pipeline

    shape, high = inputs.shape, inputs.high
    pipeline = Pipeline(config.augment, seed, inputs.channels)
    some = slice(0, MAX_AUGMENTED)
    images = (rows.values[some].reshape(-1, *shape) / high).astype(np.float32)
    changed = [
        pipeline(image, 0, int(row)) for image, row in zip(images, rows.ids[some], strict=True)
    ]
    values = np.stack(changed).astype(np.float64) * high
    return RawRows(rows.ids[some], rows.targets[some], values.reshape(rows.values[some].shape))
