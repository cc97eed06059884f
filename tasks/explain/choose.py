"""Which rows are explained: a pure function of what was said about all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.evaluate.predictions import NumberPredictions, Predictions
from tasks.explain.record import Example

Said = Predictions | NumberPredictions


def chosen(said: Said, count: int) -> tuple[list[int], list[int]]:
    """Places of at most `count` right and `count` wrong answers.

    Right ones are spread evenly over the classes and the rows, wrong ones are the surest. Of
    numbers, the nearest to their targets and the furthest.
    """
    if isinstance(said, NumberPredictions):
        order = np.argsort(np.abs(said.predictions - said.targets), kind="stable").tolist()
        near = order[: min(count, len(order) // 2)]
        return near, order[::-1][: min(count, len(order) - len(near))]
    hit = said.targets == said.predictions
    sure = said.probabilities.max(axis=1)
    wrong = np.flatnonzero(~hit)
    surest = wrong[np.argsort(-sure[wrong], kind="stable")][:count]
    return _spread(said.targets, np.flatnonzero(hit), count), surest.tolist()


def _spread(targets: NDArray, places: NDArray, count: int) -> list[int]:
    """The first of each class in turn, then the second of each."""
    turn = np.zeros(len(places), dtype=np.int64)
    for label in np.unique(targets[places]):
        mine = targets[places] == label
        turn[mine] = np.arange(mine.sum())
    order = np.lexsort((targets[places], turn))
    return places[order][:count].tolist()


def described(said: Said, place: int, *, right: bool, classes: Sequence[str]) -> Example:
    """An answer in words, not explained yet."""
    target, answer = said.targets[place], said.predictions[place]
    numbers = isinstance(said, NumberPredictions)
    return Example(
        id=int(said.ids[place]),
        right=right,
        target=f"{target:.4g}" if numbers else str(classes[int(target)]),
        said=f"{answer:.4g}" if numbers else str(classes[int(answer)]),
        sure=None
        if isinstance(said, NumberPredictions)
        else float(said.probabilities[place].max()),
    )
