"""Metrics of any number of labels a row: targets and predictions are 0 or 1, (rows, labels).

Counts are by label, as `counts` has them by class. A label without rows counts as 0 in a macro
average, as scikit-learn has it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conf.runtime.types import Array, Bools, Floats
from tasks.evaluate import counts
from tasks.evaluate.counts import Margins, ratio
from tasks.evaluate.predictions import LabelPredictions
from tasks.evaluate.probability_metrics import area, mean_of_defined
from tasks.evaluate.weighted_metric import Metric, mean

BY_LABEL = {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}


def metric(name: str, predictions: LabelPredictions) -> Metric | None:
    """A metric as a function of the rows' weights; None where it is none of labels."""
    if name == "accuracy":
        return mean((predictions.predictions == predictions.targets).all(axis=1))
    if name == "hamming_loss":
        return mean((predictions.predictions != predictions.targets).mean(axis=1))
    if name in RANKED:
        columns = zip(predictions.targets.T > 0, predictions.probabilities.T, strict=True)
        return mean_of_defined([RANKED[name](*column) for column in columns])
    kind, _, average = name.partition("_")
    if kind not in BY_LABEL or average not in AVERAGES:
        return None
    return lambda weights: AVERAGES[average](BY_LABEL[kind], margins(predictions, weights))


def margins(predictions: LabelPredictions, weights: Floats) -> Margins:
    """Counts by label, floats of shape (samples, labels), for weights (samples, rows)."""
    targets, predicted = (
        each.astype(np.float64) for each in (predictions.targets, predictions.predictions)
    )
    return Margins(weights @ (targets * predicted), weights @ targets, weights @ predicted)


def average_precision(positive: Bools, scores: Array) -> Metric:
    """Precision at every score, weighted by what it adds to recall; no number without positives."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.concatenate([ranked[1:] != ranked[:-1], [True]]))
    hit = positive[order].astype(np.float64)

    def value(weights: Floats) -> Floats:
        sorted_weights = weights[:, order]
        hits = np.cumsum(sorted_weights * hit, axis=1)[:, ends]
        precision = ratio(hits, np.cumsum(sorted_weights, axis=1)[:, ends])
        found = (precision * np.diff(hits, axis=1, prepend=0.0)).sum(axis=1)
        total = hits[:, -1]
        return np.divide(found, total, out=np.full(len(total), np.nan), where=total > 0)

    return value


def _micro(of: Callable[[Margins], Floats], found: Margins) -> Floats:
    together = (each.sum(axis=-1, keepdims=True) for each in vars(found).values())
    return of(Margins(*together))[..., 0]


AVERAGES: dict[str, Callable[[Callable[[Margins], Floats], Margins], Floats]] = {
    "micro": _micro,
    "macro": lambda of, found: of(found).mean(axis=-1),
    "weighted": lambda of, found: counts.weighted(of(found), found),
}
RANKED = {"roc_auc": area, "average_precision": average_precision}
"""Metric name to the function of one label's rows and its probabilities."""
