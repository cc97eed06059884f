"""Select the rows to explain: a pure function of the predictions of the test split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.runtime.types import Array
from tasks.evaluate.predictions import (
    ArrayPredictions,
    LabelPredictions,
    NumberPredictions,
    Predictions,
)
from tasks.packaging.explanations import ExplainedRow


def chosen(said: ArrayPredictions, count: int) -> tuple[list[int], list[int]]:
    """Indices of at most `count` right and `count` wrong predictions.

    Right ones are spread evenly over the classes and the rows, wrong ones are the surest. Of
    numbers, the nearest to their targets and the furthest. Where a row has any number of labels it
    is right with all of them, and stands for the one that is looked at.
    """
    if isinstance(said, NumberPredictions):
        order = np.argsort(np.abs(said.predictions - said.targets), kind="stable").tolist()
        near = order[: min(count, len(order) // 2)]
        return near, order[::-1][: min(count, len(order) - len(near))]
    hit = said.targets == said.predictions
    kinds, sure = looked_at(said), certainty(said)
    if isinstance(said, LabelPredictions):
        hit = hit.all(axis=1)
    wrong = np.flatnonzero(~hit)
    surest = wrong[np.argsort(-sure[wrong], kind="stable")][:count]
    return _spread(kinds, np.flatnonzero(hit), count), surest.tolist()


def looked_at(said: ArrayPredictions) -> NDArray[np.int64]:
    """Which output of the model each row's answer is, (rows,).

    Of labels one is looked at: the likeliest of a row that is right, else the surest mistake.
    """
    if isinstance(said, NumberPredictions):
        return np.zeros(len(said.ids), dtype=np.int64)
    if isinstance(said, Predictions):
        return np.asarray(said.predictions)
    mistaken = said.predictions != said.targets
    mistakes = np.where(mistaken, np.abs(said.probabilities - 0.5), -1.0)
    likeliest = said.probabilities.argmax(axis=1)
    return np.where(mistaken.any(axis=1), mistakes.argmax(axis=1), likeliest)


def certainty(said: Predictions | LabelPredictions) -> NDArray[np.float64]:
    """Confidence of the model in the explained output of each row, of shape (rows,)."""
    chances = said.probabilities[np.arange(len(said.ids)), looked_at(said)].astype(np.float64)
    return np.maximum(chances, 1 - chances) if isinstance(said, LabelPredictions) else chances


def _spread(targets: Array, places: Array, count: int) -> list[int]:
    """The first of each class in turn, then the second of each."""
    turn = np.zeros(len(places), dtype=np.int64)
    for label in np.unique(targets[places]):
        mine = targets[places] == label
        turn[mine] = np.arange(mine.sum())
    order = np.lexsort((targets[places], turn))
    return places[order][:count].tolist()


def described(
    said: ArrayPredictions, place: int, *, right: bool, classes: Sequence[str]
) -> ExplainedRow:
    """A prediction in words, without its attributions."""

    def named(answer: Any) -> str:
        if isinstance(said, NumberPredictions):
            return f"{answer:.4g}"
        if isinstance(said, Predictions):
            return str(classes[int(answer)])
        return ", ".join(str(classes[n]) for n in np.flatnonzero(answer).tolist()) or "none"

    labels = isinstance(said, LabelPredictions)
    return ExplainedRow(
        id=int(said.ids[place]),
        right=right,
        target=named(said.targets[place]),
        said=named(said.predictions[place]),
        about=str(classes[int(looked_at(said)[place])]) if labels else "",
        sure=None if isinstance(said, NumberPredictions) else float(certainty(said)[place]),
    )
