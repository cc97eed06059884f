"""What a packed model does on raw rows: predictions, time, size, steadiness."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.pyfunc import PyFuncModel
from numpy.typing import NDArray

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
from tasks.packaging.package import compare_requirements_by_name
from tasks.packaging.raw_rows import RawRows
from tasks.packaging.records import Candidate, Latency
from tasks.packaging.table_frame import select_rows

CALLS = 100  # of a latency; enough for a 95th percentile
TEXT_CALLS = 20  # texts are written a token at a time
AT_ONCE = (1, 32)
SAMPLE = 2_000  # rows that are augmented at most


def load(package: Path) -> PyFuncModel:
    """A model folder, loaded as any user of the registry loads it."""
    compare_requirements_by_name()
    return mlflow.pyfunc.load_model(str(package))


def predict(
    model: PyFuncModel, rows: RawRows
) -> Predictions | LabelPredictions | NumberPredictions:
    """What a classifier, a model of labels or one of numbers says about every row."""
    first, second = split_columns(model.predict(rows.values), model.metadata.metadata.get("second"))
    found = _of_one(first, rows.ids, rows.targets)
    if second is None or rows.second is None:
        return found
    other = _of_one(second, rows.ids, rows.second)
    assert not isinstance(other, LabelPredictions)
    return replace(
        found, auxiliary=AuxiliaryPredictions(model.metadata.metadata["second"]["name"], other)
    )


def split_columns(
    answers: pd.DataFrame, second: Mapping[str, Any] | None
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The columns of a packed model's first answer, and of its second, as a model of it alone would
    name them; `second` is what the model's metadata says of that."""
    if second is None:
        return answers, None
    begin = f"{second['name']}/"
    theirs = [name for name in answers if name.startswith(begin)]
    other = answers[theirs].rename(columns=lambda name: name.removeprefix(begin))
    return answers.drop(columns=theirs), other


def _of_one(
    answers: pd.DataFrame, ids: NDArray[np.int64], targets: NDArray[Any]
) -> Predictions | LabelPredictions | NumberPredictions:
    """One answer beside its targets."""
    if "prediction" in answers:
        return NumberPredictions(ids, targets, answers["prediction"].to_numpy())
    probabilities = answers.filter(regex="^p_").to_numpy(dtype=np.float32)
    if "labels" in answers:
        return LabelPredictions(ids, targets, probabilities)
    said = probabilities.argmax(axis=1).astype(np.int64)
    return Predictions(ids, targets, said, probabilities)


def written(model: PyFuncModel, rows: RawRows) -> TextPredictions:
    """What a model of pairs writes for every row."""
    texts = model.predict(rows.values)["text"].tolist()
    return TextPredictions(rows.ids, rows.targets.tolist(), texts)


def latencies(model: PyFuncModel, values: Any) -> dict[int, Latency]:
    """Time of a call by the number of rows in it, the first calls left out."""
    texts = isinstance(values, np.ndarray) and values.dtype == object
    calls = TEXT_CALLS if texts else CALLS
    return {
        count: _latency(model, select_rows(values, np.resize(np.arange(len(values)), count)), calls)
        for count in AT_ONCE
    }


def _latency(model: PyFuncModel, rows: Any, calls: int) -> Latency:
    seconds = []
    for _ in range(calls + 5):
        start = time.perf_counter()
        model.predict(rows)
        seconds.append(time.perf_counter() - start)
    p50, p95 = np.quantile(seconds[5:], (0.5, 0.95)) * 1000
    return Latency(p50=round(float(p50), 3), p95=round(float(p95), 3))


def megabytes(folder: Path) -> float:
    """Size of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def invariance(
    model: PyFuncModel,
    rows: RawRows,
    predictions: AnyPredictions,
    inputs: Inputs,
    candidate: Candidate,
) -> float | None:
    """Share of rows whose label stays under the study's own augmentations.

    None where there are none. A row's change is a function of the candidate's seed and its id.
    """
    if not isinstance(inputs, ImageInputs):
        return None
    from data.transforms.images import transforms

    if not transforms(candidate.config.augment, inputs.channels):
        return None
    changed = _augmented(rows, inputs, candidate.config, candidate.seed)
    said = predict(model, changed).predictions
    return float((said == predictions.predictions[: len(said)]).mean())


def _augmented(rows: RawRows, inputs: ImageInputs, config: TrialConfig, seed: int) -> RawRows:
    from data.transforms.images import Pipeline

    shape, high = inputs.shape, inputs.high
    pipeline = Pipeline(config.augment, seed, inputs.channels)
    some = slice(0, SAMPLE)
    images = (rows.values[some].reshape(-1, *shape) / high).astype(np.float32)
    changed = [
        pipeline(image, 0, int(row)) for image, row in zip(images, rows.ids[some], strict=True)
    ]
    values = np.stack(changed).astype(np.float64) * high
    return RawRows(rows.ids[some], rows.targets[some], values.reshape(rows.values[some].shape))
