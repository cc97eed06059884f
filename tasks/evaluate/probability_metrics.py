"""Metrics of class probabilities: log loss, ROC AUC and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conf.runtime.types import Array, Bools, Floats, Ints
from tasks.evaluate.weighted_metric import Metric

BINS = 15
"""Confidence bins of equal width in (0, 1], closed on the right, as in arXiv:1706.04599."""


def log_loss(targets: Array, probabilities: Array) -> Floats:
    """Negative log-likelihood of each row's target in nats, of shape (rows,).

    Probabilities are clipped to [eps, 1 - eps] for the machine epsilon of their own dtype, as in
    `sklearn.metrics.log_loss`: one confident error is expensive, not infinite.
    """
    chosen = np.take_along_axis(probabilities, targets.astype(np.int64)[:, None], axis=1)[:, 0]
    epsilon = np.finfo(probabilities.dtype).eps
    return -np.log(np.clip(chosen.astype(np.float64), epsilon, 1.0 - epsilon))


ROW_MEANS = {"log_loss": log_loss}
"""Metrics that are the mean of one number per row: name to the function of (targets,
probabilities) that returns these numbers."""


def roc_auc(targets: Array, probabilities: Array) -> Metric:
    """Area under the ROC curve: of class 1 for two classes, else the one-vs-rest macro mean.

    Classes without positive or without negative rows are left out of the mean; NaN if all are.
    """
    classes = probabilities.shape[1]
    chosen = [1] if classes == 2 else range(classes)
    return mean_of_defined([area(targets == label, probabilities[:, label]) for label in chosen])


def mean_of_defined(metrics: Sequence[Metric]) -> Metric:
    """The mean of the metrics that are finite on a sample; NaN where none is."""

    def metric(weights: Floats) -> Floats:
        values = np.stack([each(weights) for each in metrics])
        defined = np.isfinite(values)
        total, count = np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0)
        return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)

    return metric


def area(positive: Bools, scores: Array) -> Metric:
    """Area under the ROC curve of one class, by its equality with the Mann-Whitney statistic.

    The value is the share of (positive, negative) pairs that the scores order correctly, ties
    counted as half (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747).

    Args:
        positive: whether each row is of the class, shape (rows,).
        scores: shape (rows,); higher means more likely positive.
    """
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    hit = positive[order].astype(np.float64)

    def metric(weights: Floats) -> Floats:
        sorted_weights = weights[:, order]
        positives = np.add.reduceat(sorted_weights * hit, starts, axis=1)
        negatives = np.add.reduceat(sorted_weights * (1.0 - hit), starts, axis=1)
        won = (positives * (np.cumsum(negatives, axis=1) - negatives / 2)).sum(axis=1)
        pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        return np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)

    return metric


def confidence_bins(probabilities: Array) -> tuple[Floats, Ints]:
    """Each row's highest probability and the index of its bin, both of shape (rows,)."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    return confidence, np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def calibration_error(targets: Array, predictions: Array, probabilities: Array) -> Metric:
    """Expected calibration error (ECE) of the predicted class, arXiv:1706.04599.

    The absolute gap between mean confidence and accuracy of each bin, averaged over the bins with
    their numbers of rows as weights.
    """
    confidence, bins = confidence_bins(probabilities)
    gaps = np.zeros((len(bins), BINS))
    gaps[np.arange(len(bins)), bins] = confidence - (targets == predictions)
    return lambda weights: np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)


@dataclass(frozen=True)
class Bin:
    """One point of a reliability diagram."""

    rows: int
    confidence: float
    """Mean highest probability."""
    accuracy: float


def reliability(targets: Array, predictions: Array, probabilities: Array) -> list[Bin]:
    """The non-empty bins of a reliability diagram, by ascending confidence."""
    confidence, bins = confidence_bins(probabilities)
    hits = targets == predictions
    members = [bins == number for number in np.unique(bins)]
    return [
        Bin(int(inside.sum()), float(confidence[inside].mean()), float(hits[inside].mean()))
        for inside in members
    ]
