"""Paired bootstrap: the difference of a metric between two sets of predictions of the same rows.

Both models are scored on the same resamples (Efron and Tibshirani 1993; for text metrics Koehn
2004, aclanthology.org/W04-3250), so the spread that they share through the rows cancels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from conf.schema.evaluate import Evaluate
from tasks.evaluate import counts, intervals, metrics
from tasks.evaluate.evaluation import Interval
from tasks.evaluate.predictions import AnyPredictions, Predictions


def paired_difference(
    name: str,
    start: AnyPredictions,
    best: AnyPredictions,
    *,
    sign: float,
    evaluate: Evaluate | None = None,
) -> Interval:
    """How much better `best` is than `start`, with the 95 % interval of paired resamples.

    Args:
        name: a metric.
        start: predictions to compare with, of the same rows in the same order.
        best: predictions that are expected to be better.
        sign: 1 if the metric is minimized, -1 if it is maximized.
        evaluate: settings of text metrics; the defaults if absent.
    """
    section = evaluate or Evaluate()
    differences = sign * (
        _scores(name, start, start, best, section) - _scores(name, best, start, best, section)
    )
    low, high = intervals.ends(differences[1:])
    return Interval(value=float(differences[0]), low=low, high=high)


def _scores(
    name: str, of: AnyPredictions, start: AnyPredictions, best: AnyPredictions, section: Evaluate
) -> NDArray[np.float64]:
    """The metric on all rows, then on each resample: shape (1 + resamples,).

    The resamples depend on the pair alone, so that both sides see the same ones.
    """
    whole = metrics.score(of, section, [name])[name]
    if isinstance(of, Predictions) and name in counts.METRICS:
        assert isinstance(start, Predictions) and isinstance(best, Predictions)
        resampled = counts.METRICS[name](_resampled_margins(of, start, best))
    else:
        resampled = intervals.resampled(name, of, section.texts, intervals.RESAMPLES, 0)
    return np.concatenate([[whole], resampled])


def _resampled_margins(of: Predictions, start: Predictions, best: Predictions) -> counts.Margins:
    """Margins of one side in draws of (target, prediction, other prediction) together."""
    classes = of.probabilities.shape[1]
    triples = np.stack([of.targets, start.predictions, best.predictions]).astype(np.int64)
    cells, many = np.unique(triples, axis=1, return_counts=True)
    random = np.random.default_rng(0)
    draws = random.multinomial(many.sum(), many / many.sum(), size=intervals.RESAMPLES)
    targets = cells[0]
    predicted = cells[1] if of is start else cells[2]
    hit = targets == predicted
    numbers = draws.astype(np.float64)
    return counts.Margins(
        hits=intervals.summed(numbers[:, hit], targets[hit], classes),
        targets=intervals.summed(numbers, targets, classes),
        predicted=intervals.summed(numbers, predicted, classes),
    )


def same_rows(first: AnyPredictions, second: AnyPredictions) -> bool:
    """Whether two predictions are of the same rows in the same order, with the same targets."""
    return np.array_equal(first.ids, second.ids) and np.array_equal(first.targets, second.targets)
