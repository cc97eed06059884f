"""Greedy selection over a study's saved validation predictions; nothing is trained.

A member may be picked again, which is its weight; the sum of probabilities, or of numbers, divided
by the number of picks, is the ensemble's answer.
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
"""Trials that are looked at: the best so many."""
ROOM = 10_000_000
"""Answers that are looked at, of all members together: more rows leave room for fewer members."""
ANY = Evaluate()


@dataclass(frozen=True)
class Ensemble:
    """Members by weight, and what they reach together on the rows they were picked on."""

    weights: Mapping[int, float]
    """Trial number to its share of the answer; the shares sum to 1."""
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
    """Add again and again the member that helps most; stop where none helps.

    Args:
        predictions: trial number to what it said about the same rows in the same order.
        objective: a metric's name.
        direction: of the objective.
        picks: members at most, repetitions counted.

    Raises:
        DenseError: the predictions are of different rows, or there are none.
    """
    first = _checked(predictions)
    sign = 1.0 if direction == "minimize" else -1.0

    def loss(total: NDArray, count: int) -> float:
        return sign * metrics.score(_saying(first, total / count), ANY, [objective])[objective]

    said = {number: _answers(each) for number, each in predictions.items()}
    alone = {number: loss(each, 1) for number, each in said.items()}
    best_one = min(alone, key=lambda number: (alone[number], number))
    chosen, total, best = [best_one], said[best_one], alone[best_one]
    while len(chosen) < picks:
        tried = {number: loss(total + each, len(chosen) + 1) for number, each in said.items()}
        number = min(tried, key=lambda number: (tried[number], number))
        if tried[number] >= best:
            break
        chosen, total, best = [*chosen, number], total + said[number], tried[number]
    shares = {number: count / len(chosen) for number, count in Counter(chosen).items()}
    return Ensemble(weights=shares, value=sign * best, single=sign * alone[best_one])


def select_ensemble(
    trials: Iterable[tuple[int, Path]], evaluate: Evaluate, *, room: int = ROOM
) -> Ensemble | None:
    """The ensemble of a study's best trials; None while fewer than two have predictions.

    `trials` are numbers and folders of complete trials, best first.

    Of texts that were written there is no mean, and so no ensemble; nor of second answers.
    """
    saved: dict[int, ArrayPredictions] = {}
    most = MEMBERS
    for number, folder in trials:
        if not (folder / PREDICTIONS).exists():
            continue
        said = read(folder / PREDICTIONS)
        if not isinstance(said, ArrayPredictions) or said.auxiliary is not None:
            return None
        saved[number] = said
        most = min(MEMBERS, room // max(1, _answers(said).size))
        if len(saved) >= most:
            break
    if len(saved) < 2:
        return None
    return select(saved, evaluate.objective, evaluate.direction)


def weighted_mean(
    predictions: Sequence[ArrayPredictions], weights: Sequence[float]
) -> ArrayPredictions:
    """What an ensemble says: the weighted mean of its members' probabilities, or numbers."""
    shares = np.asarray(weights, np.float64)
    stacked = np.stack([_answers(each) for each in predictions])
    return _saying(predictions[0], np.tensordot(shares / shares.sum(), stacked, axes=1))


def _answers(said: ArrayPredictions) -> NDArray[np.float64]:
    """What is averaged."""
    if isinstance(said, NumberPredictions):
        return np.asarray(said.predictions, np.float64)
    return np.asarray(said.probabilities, np.float64)


def _saying(like: ArrayPredictions, mean: NDArray[np.float64]) -> ArrayPredictions:
    """The same rows with other answers."""
    if isinstance(like, NumberPredictions):
        return replace(like, predictions=mean)
    if isinstance(like, LabelPredictions):
        return replace(like, probabilities=mean)
    labels = mean.argmax(axis=1).astype(np.int64)
    return Predictions(like.ids, like.targets, labels, mean)


def _checked(predictions: Mapping[int, ArrayPredictions]) -> ArrayPredictions:
    """One of them, all being of the same rows."""
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
