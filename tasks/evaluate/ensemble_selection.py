"""Greedy ensemble selection from the validation predictions of a study; nothing is trained.

Forward selection with replacement (Caruana et al. 2004, doi:10.1145/1015330.1015432): a member may
be picked repeatedly, which raises its weight. The ensemble predicts the mean of its picks'
probabilities, or of their predicted numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conf.runtime.errors import DenseError
from conf.runtime.types import Array
from conf.schema.evaluate import Evaluate
from tasks.evaluate import metrics
from tasks.evaluate.evaluation import PREDICTIONS
from tasks.evaluate.predictions import (
    ArrayPredictions,
    LabelPredictions,
    NumberPredictions,
    Predictions,
    read,
)

PICKS = 20
MEMBERS = 20
"""Number of candidates at most: the best trials."""
ROOM = 10_000_000
"""Predicted values of all candidates together at most, which bounds memory."""
ANY = Evaluate()


@dataclass(frozen=True)
class Ensemble:
    """Members with their weights, and the objective on the rows that they were selected on."""

    weights: Mapping[int, float]
    """Trial number to its weight; the weights sum to 1."""
    value: float
    """The objective of the ensemble."""
    single: float
    """The objective of its best member alone."""


def select(
    predictions: Mapping[int, ArrayPredictions],
    objective: str,
    direction: Literal["minimize", "maximize"],
    *,
    picks: int = PICKS,
) -> Ensemble:
    """Add the member that improves the objective most, until none does.

    Args:
        predictions: trial number to its predictions of the same rows in the same order.
        objective: a metric's name.
        direction: of the objective.
        picks: number of picks at most, repetitions included.

    Raises:
        DenseError: there are no predictions, or they are of different rows.
    """
    first = _checked(predictions)
    sign = 1.0 if direction == "minimize" else -1.0

    def loss(total: Array, count: int) -> float:
        return (
            sign * metrics.score(_with_outputs(first, total / count), ANY, [objective])[objective]
        )

    outputs = {number: _outputs(each) for number, each in predictions.items()}
    alone = {number: loss(each, 1) for number, each in outputs.items()}
    best_one = min(alone, key=lambda number: (alone[number], number))
    chosen, total, best = [best_one], outputs[best_one], alone[best_one]
    while len(chosen) < picks:
        tried = {number: loss(total + each, len(chosen) + 1) for number, each in outputs.items()}
        number = min(tried, key=lambda number: (tried[number], number))
        if tried[number] >= best:
            break
        chosen, total, best = [*chosen, number], total + outputs[number], tried[number]
    shares = {number: count / len(chosen) for number, count in Counter(chosen).items()}
    return Ensemble(weights=shares, value=sign * best, single=sign * alone[best_one])


def select_ensemble(
    trials: Iterable[tuple[int, Path]], evaluate: Evaluate, *, room: int = ROOM
) -> Ensemble | None:
    """The ensemble of a study's best trials; None if fewer than two have predictions.

    Generated texts cannot be averaged, so they have no ensemble; predictions with an auxiliary
    target have none either.

    Args:
        trials: number and folder of each complete trial, best first.
        evaluate: names the objective and its direction.
        room: predicted values held in memory at most.
    """
    saved: dict[int, ArrayPredictions] = {}
    most = MEMBERS
    for number, folder in trials:
        if not (folder / PREDICTIONS).exists():
            continue
        predictions = read(folder / PREDICTIONS)
        if not isinstance(predictions, ArrayPredictions) or predictions.auxiliary is not None:
            return None
        saved[number] = predictions
        most = min(MEMBERS, room // max(1, _outputs(predictions).size))
        if len(saved) >= most:
            break
    if len(saved) < 2:
        return None
    return select(saved, evaluate.objective, evaluate.direction)


def weighted_mean(
    predictions: Sequence[ArrayPredictions], weights: Sequence[float]
) -> ArrayPredictions:
    """The ensemble's predictions: the weighted mean of probabilities, or of predicted numbers."""
    shares = np.asarray(weights, np.float64)
    stacked = np.stack([_outputs(each) for each in predictions])
    return _with_outputs(predictions[0], np.tensordot(shares / shares.sum(), stacked, axes=1))


def _outputs(predictions: ArrayPredictions) -> NDArray[np.float64]:
    """The array to average: (rows,) for numbers, else (rows, classes or labels)."""
    if isinstance(predictions, NumberPredictions):
        return np.asarray(predictions.predictions, np.float64)
    return np.asarray(predictions.probabilities, np.float64)


def _with_outputs(like: ArrayPredictions, mean: NDArray[np.float64]) -> ArrayPredictions:
    """Predictions of the same rows with `mean` as their outputs."""
    if isinstance(like, NumberPredictions):
        return replace(like, predictions=mean)
    if isinstance(like, LabelPredictions):
        return replace(like, probabilities=mean)
    labels = mean.argmax(axis=1).astype(np.int64)
    return Predictions(like.ids, like.targets, labels, mean)


def _checked(predictions: Mapping[int, ArrayPredictions]) -> ArrayPredictions:
    """The first predictions, after a check that all are of the same rows."""
    if not predictions:
        raise DenseError("an ensemble needs members; run trials of the study first")
    first = next(iter(predictions.values()))
    for number, each in predictions.items():
        if not np.array_equal(each.ids, first.ids):
            raise DenseError(
                f"the predictions of trial {number} are of other rows than its peers'; remove its "
                "folder and run the study again to train it anew"
            )
    return first
