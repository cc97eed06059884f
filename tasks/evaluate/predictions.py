"""A model's predictions for the rows of a split, and the Parquet file that stores them.

Every metric of the project is computed from one of these classes, never from a model, so that a
score can be recomputed from the file alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from conf.runtime.atomic_write import atomic_file
from conf.runtime.errors import DenseError
from conf.runtime.types import Array

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Predictions:
    """Predicted classes, in the order in which the rows were predicted.

    `ids`, `targets` and `predictions` (int64) have shape (rows,), `probabilities` (floats) has
    shape (rows, classes).
    """

    ids: Array
    targets: Array
    predictions: Array
    probabilities: Array
    auxiliary: AuxiliaryPredictions | None = None


@dataclass(frozen=True)
class NumberPredictions:
    """Predictions of a regression: `ids` (int64), `targets` and `predictions` (floats), each of
    shape (rows,)."""

    ids: Array
    targets: Array
    predictions: Array
    auxiliary: AuxiliaryPredictions | None = None


@dataclass(frozen=True)
class AuxiliaryPredictions:
    """Predictions of the auxiliary target for the same rows; `name` prefixes its metrics."""

    name: str
    predictions: Predictions | NumberPredictions


@dataclass(frozen=True)
class LabelPredictions:
    """Predictions of a multilabel classifier: `ids` of shape (rows,); `targets` (0 or 1) and
    `probabilities` (floats) of shape (rows, labels)."""

    ids: Array
    targets: Array
    probabilities: Array
    auxiliary: AuxiliaryPredictions | None = None

    @property
    def predictions(self) -> Array:
        """1 where the probability is at least 0.5, else 0; shape (rows, labels)."""
        return (self.probabilities >= 0.5).astype(np.int8)


@dataclass(frozen=True)
class TextPredictions:
    """Generated texts (`hypotheses`) and their targets (`references`), one each per row."""

    ids: Array
    references: list[str]
    hypotheses: list[str]
    losses: Array | None = None
    """Negative log-likelihood of each target, summed over its tokens, in nats; shape (rows,)."""
    tokens: Array | None = None
    """Number of tokens of each target; shape (rows,)."""
    auxiliary: None = None

    @property
    def targets(self) -> Array:
        """The references as an object array of shape (rows,)."""
        return np.array(self.references, dtype=object)

    @property
    def predictions(self) -> Array:
        """The hypotheses as an object array of shape (rows,)."""
        return np.array(self.hypotheses, dtype=object)


ArrayPredictions = Predictions | LabelPredictions | NumberPredictions
"""Predictions that are numeric arrays and can therefore be averaged and explained."""
AnyPredictions = ArrayPredictions | TextPredictions


def select_predictions(
    name: str, *candidates: AnyPredictions
) -> tuple[str, tuple[AnyPredictions, ...]]:
    """The metric's own name, and the predictions that it scores.

    A name with a prefix (`tone/rmse`) scores the predictions of the auxiliary target, any other
    name those of the target.
    """
    _, prefix, metric = name.rpartition("/")
    auxiliary = tuple(each.auxiliary.predictions for each in candidates if each.auxiliary)
    return metric, auxiliary if prefix else candidates


def write(path: Path, predictions: AnyPredictions) -> None:
    """Write predictions atomically as Parquet.

    The columns are `id` and, for classes, `target`, `prediction`, `p_0`...; for labels
    `target_0`..., `p_0`...; for numbers `target` and `prediction`; for texts `reference`,
    `hypothesis` and, where known, `loss` and `tokens`. The columns of an auxiliary target are
    prefixed with `<its name>/`. Number types are preserved, so that the metrics of the file equal
    those of the arrays to the last bit.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with atomic_file(path, sync="file") as file:
        parquet.write_table(pa.table(_columns(predictions)), file)


def _columns(predictions: AnyPredictions) -> dict[str, Any]:
    if isinstance(predictions, TextPredictions):
        return _text_columns(predictions)
    columns: dict[str, Any] = {"id": predictions.ids}
    if isinstance(predictions, LabelPredictions):
        columns |= _matrix_columns("target", predictions.targets)
    else:
        columns |= {"target": predictions.targets, "prediction": predictions.predictions}
    if not isinstance(predictions, NumberPredictions):
        columns |= _matrix_columns("p", predictions.probabilities)
    if (auxiliary := predictions.auxiliary) is not None:
        more = _columns(auxiliary.predictions)
        columns |= {f"{auxiliary.name}/{name}": more[name] for name in more if name != "id"}
    return columns


def _text_columns(predictions: TextPredictions) -> dict[str, Any]:
    columns = {
        "id": predictions.ids,
        "reference": predictions.references,
        "hypothesis": predictions.hypotheses,
        "loss": predictions.losses,
        "tokens": predictions.tokens,
    }
    return {name: values for name, values in columns.items() if values is not None}


def _matrix_columns(name: str, matrix: Array) -> dict[str, Array]:
    """The columns of a matrix, numbered from 0."""
    columns = enumerate(np.asarray(matrix).T)
    return {f"{name}_{number}": np.ascontiguousarray(column) for number, column in columns}


def read(path: Path) -> AnyPredictions:
    """Read predictions written by `write`.

    Raises:
        DenseError: the file is missing or does not hold predictions.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return _rows(parquet.ParquetFile(path).read())
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise DenseError(
            f"{path} cannot be read as predictions ({error}); remove the trial's folder and run "
            "the study again to retrain it"
        ) from error


def _rows(table: pa.Table) -> AnyPredictions:
    if "hypothesis" in table.column_names:
        return _texts(table)
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    main, auxiliary = split_columns(columns)
    predictions = _array_predictions(main)
    if auxiliary is None:
        return predictions
    name, others = auxiliary
    other = _array_predictions({"id": main["id"], **others})
    assert isinstance(other, Predictions | NumberPredictions)
    return replace(predictions, auxiliary=AuxiliaryPredictions(name, other))


ColumnT = TypeVar("ColumnT")


def split_columns(
    columns: Mapping[str, ColumnT],
) -> tuple[dict[str, ColumnT], tuple[str, dict[str, ColumnT]] | None]:
    """The target's columns, and the auxiliary target's name and columns where there is one."""
    main = {name: values for name, values in columns.items() if "/" not in name}
    rest = [name.partition("/") for name in columns if "/" in name]
    if not rest:
        return main, None
    return main, (rest[0][0], {inner: columns[f"{name}/{inner}"] for name, _, inner in rest})


def _array_predictions(columns: Mapping[str, Array]) -> ArrayPredictions:
    classes = range(sum(name.startswith("p_") for name in columns))
    matrices = {
        name: np.stack([columns[f"{name}_{n}"] for n in classes], axis=1)
        for name in ("target", "p")
        if f"{name}_0" in columns
    }
    if "target" in matrices:
        return LabelPredictions(columns["id"], matrices["target"], matrices["p"])
    rows = columns["id"], columns["target"], columns["prediction"]
    return Predictions(*rows, matrices["p"]) if matrices else NumberPredictions(*rows)


def _texts(table: pa.Table) -> TextPredictions:
    known = {name: table.column(name).to_numpy() for name in ("loss", "tokens")
             if name in table.column_names}  # fmt: skip
    return TextPredictions(
        ids=table.column("id").to_numpy(),
        references=table.column("reference").to_pylist(),
        hypotheses=table.column("hypothesis").to_pylist(),
        losses=known.get("loss"),
        tokens=known.get("tokens"),
    )
