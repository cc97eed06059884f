"""How far a metric might lie from what was measured: bootstrap intervals.

Resampling rows with replacement is drawing the counts of a multinomial over the cells of the
confusion matrix, so a thousand resamples of fifty thousand rows cost no more than of a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluate import counts, metrics, rows

RESAMPLES = 1_000
CHUNK = 4_000_000  # numbers drawn at once; bounds the memory


@dataclass(frozen=True)
class Interval:
    """A metric's value and where the middle `level` of its resampled values lies."""

    value: float
    low: float
    high: float


def bootstrap(
    names: Iterable[str],
    targets: NDArray,
    predictions: NDArray,
    probabilities: NDArray,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile intervals of metrics, the same for the same predictions and seed.

    Arrays are those of `metrics.compute`. Each metric has a generator of its own, so that a value
    does not depend on which others are asked for.
    """
    names = tuple(names)
    values = metrics.compute(names, targets, predictions, probabilities)
    matrix = counts.confusion(targets, predictions, probabilities.shape[1])
    drawn: counts.Margins | None = None
    tails = ((1 - level) / 2, (1 + level) / 2)
    intervals = {}
    for name in names:
        if name in counts.METRICS:
            drawn = drawn or resampled_margins(matrix, resamples, np.random.default_rng(seed))
            sample = counts.METRICS[name](drawn)
        elif name in rows.METRICS:
            sample = resampled_means(rows.METRICS[name](targets, probabilities), resamples, seed)
        else:
            sample = resampled_scores(
                metrics.own_metric(name), (targets, predictions, probabilities), resamples, seed
            )
        low, high = np.quantile(sample, tails)
        intervals[name] = Interval(values[name], float(low), float(high))
    return intervals


def resampled_margins(
    matrix: NDArray[np.int64], resamples: int, random: np.random.Generator
) -> counts.Margins:
    """Margins of `resamples` draws of as many rows as the confusion matrix counts."""
    classes = len(matrix)
    target, predicted = np.nonzero(matrix)
    cells = matrix[target, predicted]
    draws = random.multinomial(cells.sum(), cells / cells.sum(), size=resamples).astype(np.float64)
    hit = target == predicted
    return counts.Margins(
        hits=summed(draws[:, hit], target[hit], classes),
        targets=summed(draws, target, classes),
        predicted=summed(draws, predicted, classes),
    )


def summed(draws: NDArray, groups: NDArray, size: int) -> NDArray:
    """Sums of the columns of each group: (resamples, cells) to (resamples, size)."""
    sums = np.zeros((len(draws), size))
    if len(groups):
        order = np.argsort(groups, kind="stable")
        present, starts = np.unique(groups[order], return_index=True)
        sums[:, present] = np.add.reduceat(draws[:, order], starts, axis=1)
    return sums


def resampled_indices(count: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Row numbers of the resamples, in blocks of shape (some, count)."""
    random = np.random.default_rng(seed)
    block = max(1, CHUNK // count)
    for start in range(0, resamples, block):
        yield random.integers(count, size=(min(block, resamples - start), count))


def resampled_means(values: NDArray, resamples: int, seed: int) -> NDArray:
    """Means of resampled values, shape (resamples,)."""
    blocks = resampled_indices(len(values), resamples, seed)
    return np.concatenate([values[block].mean(axis=1) for block in blocks])


def resampled_scores(
    score: metrics.Score, arrays: tuple[NDArray, NDArray, NDArray], resamples: int, seed: int
) -> NDArray:
    """Scores of resampled rows, one call a resample, shape (resamples,)."""
    targets, predictions, probabilities = arrays
    blocks = resampled_indices(len(targets), resamples, seed)
    return np.array(
        [
            score(targets[chosen], predictions[chosen], probabilities[chosen])
            for block in blocks
            for chosen in block
        ]
    )
