"""What a model said about each row, as one Parquet file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from conf.runtime.errors import DenseError


@dataclass(frozen=True)
class Predictions:
    """Rows in the order in which they were predicted.

    `ids`, `targets` and `predictions` have shape (rows,), `probabilities` (rows, classes).
    """

    ids: NDArray
    targets: NDArray
    predictions: NDArray
    probabilities: NDArray
    second: Second | None = None


@dataclass(frozen=True)
class NumberPredictions:
    """Predicted numbers: `ids` (int64), `targets` and `predictions` (floats), shape (rows,)."""

    ids: NDArray
    targets: NDArray
    predictions: NDArray
    second: Second | None = None


@dataclass(frozen=True)
class Second:
    """The second answer about the same rows, and the name that begins those of its metrics."""

    name: str
    said: Predictions | NumberPredictions


@dataclass(frozen=True)
class LabelPredictions:
    """Any number of labels a row: `ids` (rows,), `targets` (0 or 1) and `probabilities` (floats),
    shape (rows, labels)."""

    ids: NDArray
    targets: NDArray
    probabilities: NDArray
    second: Second | None = None

    @property
    def predictions(self) -> NDArray:
        """The labels that are at least as likely as not, 0 or 1."""
        return (self.probabilities >= 0.5).astype(np.int8)


@dataclass(frozen=True)
class TextPredictions:
    """Texts that were written, and those that were to be."""

    ids: NDArray
    references: list[str]
    hypotheses: list[str]
    losses: NDArray | None = None
    """Sum over the target's tokens of their negative log-likelihood, in nats; shape (rows,)."""
    tokens: NDArray | None = None
    """How many tokens that sum is over."""
    second: None = None

    @property
    def targets(self) -> NDArray:
        """The references, as an array of objects."""
        return np.array(self.references, dtype=object)

    @property
    def predictions(self) -> NDArray:
        """The hypotheses, likewise."""
        return np.array(self.hypotheses, dtype=object)


Said = Predictions | LabelPredictions | NumberPredictions | TextPredictions


def about(name: str, *said: Said) -> tuple[str, tuple[Said, ...]]:
    """A metric's own name, and the answers that it scores: the first ones, or the second ones where
    it begins with their name."""
    _, of_second, metric = name.rpartition("/")
    seconds = tuple(each.second.said for each in said if each.second is not None)
    return metric, seconds if of_second else said


def write(path: Path, predictions: Said) -> None:
    """Write the rows; a reader sees the whole file or none.

    Columns are `id`, and of classes `target`, `prediction`, `p_0`...; of labels `target_0`...,
    `p_0`...; of numbers `target` and `prediction`; of texts `reference`, `hypothesis` and, where
    known, `loss` and `tokens`. Those of a second answer are named `<its name>/...`.
    Number types are kept, so that what is read gives the same metrics to the last bit.
    """
    import pyarrow as pa
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            parquet.write_table(pa.table(_columns(predictions)), file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _columns(said: Said) -> dict[str, Any]:
    if isinstance(said, TextPredictions):
        texts = {"id": said.ids, "reference": said.references, "hypothesis": said.hypotheses}
        known = {"loss": said.losses, "tokens": said.tokens}
        return texts | {name: values for name, values in known.items() if values is not None}
    columns = {"id": said.ids}
    if isinstance(said, LabelPredictions):
        columns |= _each("target", said.targets)
    else:
        columns |= {"target": said.targets, "prediction": said.predictions}
    if not isinstance(said, NumberPredictions):
        columns |= _each("p", said.probabilities)
    if said.second is not None:
        more = _columns(said.second.said)
        columns |= {f"{said.second.name}/{name}": more[name] for name in more if name != "id"}
    return columns


def _each(name: str, matrix: NDArray) -> dict[str, NDArray]:
    """The columns of a matrix, numbered."""
    columns = enumerate(np.asarray(matrix).T)
    return {f"{name}_{number}": np.ascontiguousarray(column) for number, column in columns}


def read(path: Path) -> Said:
    """Read what `write` wrote.

    Raises:
        DenseError: the file is missing or not one of predictions.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return _rows(parquet.ParquetFile(path).read())
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise DenseError(
            f"{path} cannot be read as predictions ({error}); remove the trial's folder and run "
            "the study again to train it anew"
        ) from error


def _rows(table: Any) -> Said:
    if "hypothesis" in table.column_names:
        return _texts(table)
    columns: Mapping[str, NDArray] = {
        name: table.column(name).to_numpy() for name in table.column_names
    }
    first, second = divided(columns)
    found = _answers(first)
    if second is None:
        return found
    other = _answers({"id": first["id"], **second[1]})
    assert isinstance(other, Predictions | NumberPredictions)
    return replace(found, second=Second(second[0], other))


Named = TypeVar("Named")


def divided(
    columns: Mapping[str, Named],
) -> tuple[dict[str, Named], tuple[str, dict[str, Named]] | None]:
    """The columns of the first answer, and the second's name and columns where there is one."""
    first = {name: values for name, values in columns.items() if "/" not in name}
    rest = [name.partition("/") for name in columns if "/" in name]
    if not rest:
        return first, None
    return first, (rest[0][0], {inner: columns[f"{name}/{inner}"] for name, _, inner in rest})


def _answers(
    columns: Mapping[str, NDArray],
) -> Predictions | LabelPredictions | NumberPredictions:
    classes = range(sum(name.startswith("p_") for name in columns))
    known = {
        name: np.stack([columns[f"{name}_{n}"] for n in classes], axis=1)
        for name in ("target", "p")
        if f"{name}_0" in columns
    }
    if "target" in known:
        return LabelPredictions(columns["id"], known["target"], known["p"])
    rows = columns["id"], columns["target"], columns["prediction"]
    return Predictions(*rows, known["p"]) if known else NumberPredictions(*rows)


def _texts(table: Any) -> TextPredictions:
    known = {name: table.column(name).to_numpy() for name in ("loss", "tokens")
             if name in table.column_names}  # fmt: skip
    return TextPredictions(
        ids=table.column("id").to_numpy(),
        references=table.column("reference").to_pylist(),
        hypotheses=table.column("hypothesis").to_pylist(),
        losses=known.get("loss"),
        tokens=known.get("tokens"),
    )
