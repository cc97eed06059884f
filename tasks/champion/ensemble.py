"""Trials that are better together: greedy selection over their saved validation predictions.

Nothing is trained. A member may be picked again, which is its weight; the sum of probabilities,
divided by the number of picks, is the ensemble's answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conf.errors import DenseError
from tasks.evaluate.evaluation import PREDICTIONS
from tasks.evaluate.metrics import compute
from tasks.evaluate.predictions import Predictions, read
from tasks.study.record import StudyRecord

PICKS = 20
MEMBERS = 50


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
    predictions: Mapping[int, Predictions],
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
    targets = _targets(predictions)
    sign = 1.0 if direction == "minimize" else -1.0

    def loss(total: NDArray, count: int) -> float:
        mean = total / count
        return sign * compute([objective], targets, mean.argmax(axis=1), mean)[objective]

    said = {number: np.asarray(p.probabilities, np.float64) for number, p in predictions.items()}
    alone = {number: loss(each, 1) for number, each in said.items()}
    first = min(alone, key=lambda number: (alone[number], number))
    chosen, total, best = [first], said[first], alone[first]
    while len(chosen) < picks:
        tried = {number: loss(total + each, len(chosen) + 1) for number, each in said.items()}
        number = min(tried, key=lambda number: (tried[number], number))
        if tried[number] >= best:
            break
        chosen, total, best = [*chosen, number], total + said[number], tried[number]
    shares = {number: count / len(chosen) for number, count in Counter(chosen).items()}
    return Ensemble(weights=shares, value=sign * best, single=sign * alone[first])


def ensemble_of(record: StudyRecord, *, members: int = MEMBERS) -> Ensemble | None:
    """The ensemble of a study's best trials; None while fewer than two have predictions."""
    best = [trial for trial in record.leaderboard() if trial.trial.status == "complete"][:members]
    found = [
        (trial.number, read(trial.path / PREDICTIONS))
        for trial in best
        if (trial.path / PREDICTIONS).exists()
    ]
    # Of texts there is no mean.
    saved = {number: said for number, said in found if isinstance(said, Predictions)}
    if len(saved) < 2:
        return None
    evaluate = record.study.evaluate
    return select(saved, evaluate.objective, evaluate.direction)


def combined(predictions: Sequence[Predictions], weights: Sequence[float]) -> Predictions:
    """What an ensemble says: the weighted mean of its members' probabilities."""
    shares = np.asarray(weights, np.float64)
    stacked = np.stack([np.asarray(each.probabilities, np.float64) for each in predictions])
    mean = np.tensordot(shares / shares.sum(), stacked, axes=1)
    first = predictions[0]
    return Predictions(first.ids, first.targets, mean.argmax(axis=1).astype(np.int64), mean)


def _targets(predictions: Mapping[int, Predictions]) -> NDArray:
    if not predictions:
        raise DenseError("an ensemble needs members; run trials of the study first")
    first = next(iter(predictions.values()))
    for number, each in predictions.items():
        if not np.array_equal(each.ids, first.ids):
            raise DenseError(
                f"the predictions of trial {number} are of other rows than its peers'; remove its "
                "folder and run the study again to train it anew"
            )
    return first.targets
