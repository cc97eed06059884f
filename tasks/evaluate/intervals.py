"""Bootstrap intervals of metrics: percentile intervals over rows resampled with replacement.

Efron 1979, doi:10.1214/aos/1176344552. For metrics of the confusion matrix a resample is a draw
from the multinomial over its cells, so a thousand resamples of fifty thousand rows cost no more
than of a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conf.runtime.types import Array
from conf.schema.evaluate import Evaluate, Texts
from tasks.evaluate import counts, metrics, probability_metrics
from tasks.evaluate.predictions import AnyPredictions, Predictions
from tasks.evaluate.weighted_metric import Metric

RESAMPLES = 1_000
CHUNK = 4_000_000  # numbers drawn at once; bounds the memory


@dataclass(frozen=True)
class BootstrapInterval:
    """A metric's value and the ends of its percentile interval."""

    value: float
    low: float
    high: float


def bootstrap(
    names: Iterable[str],
    targets: Array,
    predictions: Array,
    probabilities: Array,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, BootstrapInterval]:
    """Percentile intervals of a classifier's metrics; arrays are those of `metrics.compute`."""
    rows = Predictions(np.arange(len(targets)), targets, predictions, probabilities)
    return bootstrap_intervals(rows, Evaluate(), names, resamples=resamples, level=level, seed=seed)


def bootstrap_intervals(
    predictions: AnyPredictions,
    evaluate: Evaluate,
    names: Iterable[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, BootstrapInterval]:
    """Percentile intervals of metrics by name, deterministic in the predictions and the seed.

    Each metric has its own generator, so that its interval does not depend on which others are
    computed. Resamples on which a metric is undefined are ignored.

    Args:
        predictions: with their auxiliary target, if any.
        evaluate: section that names the metrics.
        names: metrics to compute instead.
        resamples: number of resamples.
        level: coverage of the interval.
        seed: of the resampling.
    """
    return {
        f"{of}{name}": interval
        for of, answer, wanted in metrics.metric_groups(predictions, evaluate, names)
        for name, interval in _of_one(answer, evaluate, wanted, resamples, level, seed).items()
    }


def _of_one(
    predictions: AnyPredictions,
    evaluate: Evaluate,
    names: Iterable[str],
    resamples: int,
    level: float,
    seed: int,
) -> dict[str, BootstrapInterval]:
    """Intervals of one target's metrics."""
    values = metrics.score(predictions, evaluate, names)
    drawn: counts.Margins | None = None
    intervals = {}
    for name in values:
        if isinstance(predictions, Predictions) and name in counts.METRICS:
            if drawn is None:
                matrix = counts.confusion(
                    predictions.targets, predictions.predictions, predictions.probabilities.shape[1]
                )
                drawn = resampled_margins(matrix, resamples, np.random.default_rng(seed))
            sample = counts.METRICS[name](drawn)
        else:
            sample = resampled(name, predictions, evaluate.texts, resamples, seed)
        intervals[name] = BootstrapInterval(values[name], *ends(sample, level))
    return intervals


def ends(sample: Array, level: float = 0.95) -> tuple[float, float]:
    """The central `level` interval of the finite values; NaN if none is finite."""
    known = sample[np.isfinite(sample)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def resampled(
    name: str, predictions: AnyPredictions, settings: Texts, resamples: int, seed: int
) -> Array:
    """A metric on resampled rows, shape (resamples,); the same rows for the same number and seed,
    so that two models on the same rows are compared draw by draw."""
    if isinstance(predictions, Predictions) and name in probability_metrics.ROW_MEANS:
        return resampled_means(
            probability_metrics.ROW_MEANS[name](predictions.targets, predictions.probabilities),
            resamples,
            seed,
        )
    if found := metrics.weighted_metric(name, predictions, settings):
        return resampled_weights(found, len(predictions.ids), resamples, seed)
    return resampled_scores(
        metrics.custom_metric(name), metrics.arrays(predictions), resamples, seed
    )


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


def summed(draws: Array, groups: Array, size: int) -> Array:
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


def resampled_means(values: Array, resamples: int, seed: int) -> Array:
    """Means of resampled values, shape (resamples,)."""
    blocks = resampled_indices(len(values), resamples, seed)
    return np.concatenate([values[block].mean(axis=1) for block in blocks])


def resampled_scores(
    score: metrics.MetricFunction, arrays: tuple[Array, ...], resamples: int, seed: int
) -> Array:
    """Scores of resampled rows, one call a resample, shape (resamples,)."""
    blocks = resampled_indices(len(arrays[0]), resamples, seed)
    return np.array(
        [score(*(each[chosen] for each in arrays)) for block in blocks for chosen in block]
    )


def resampled_weights(metric: Metric, count: int, resamples: int, seed: int) -> Array:
    """A metric on resampled rows, each resample as how often it has each row."""
    found = []
    for block in resampled_indices(count, resamples, seed):
        offsets = np.arange(len(block))[:, None] * count
        drawn = np.bincount((block + offsets).ravel(), minlength=block.size)
        found.append(metric(drawn.reshape(block.shape).astype(np.float64)))
    return np.concatenate(found)
