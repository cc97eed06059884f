"""Metrics of a classifier's probabilities: how they rank rows, and whether they can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluate.weighted import Floats, Metric

BINS = 15
"""Bins of equal width between 0 and 1, closed above."""


def roc_auc(targets: NDArray, probabilities: NDArray) -> Metric:
    """Area under the ROC curve: of class 1 where there are two classes, else the mean over the
    classes against the rest. A class without rows, or with all of them, does not count; the value
    is no number where none counts."""
    classes = probabilities.shape[1]
    chosen = [1] if classes == 2 else range(classes)
    return mean_of_known([area(targets == label, probabilities[:, label]) for label in chosen])


def mean_of_known(each: Sequence[Metric]) -> Metric:
    """The mean of those metrics that are numbers; no number where none is."""

    def metric(weights: Floats) -> Floats:
        values = np.stack([one(weights) for one in each])
        known = np.isfinite(values)
        total, count = np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0)
        return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)

    return metric


def area(positive: NDArray[np.bool_], scores: NDArray) -> Metric:
    """Share of pairs of a positive and a negative row that the scores put in order; ties half."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    hit = positive[order].astype(np.float64)

    def metric(weights: Floats) -> Floats:
        sorted_weights = weights[:, order]
        ours = np.add.reduceat(sorted_weights * hit, starts, axis=1)
        others = np.add.reduceat(sorted_weights * (1.0 - hit), starts, axis=1)
        won = (ours * (np.cumsum(others, axis=1) - others / 2)).sum(axis=1)
        pairs = ours.sum(axis=1) * others.sum(axis=1)
        return np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)

    return metric


def confidence_bins(probabilities: NDArray) -> tuple[Floats, NDArray[np.int64]]:
    """Each row's highest probability, and the bin that it falls into."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    return confidence, np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def calibration_error(targets: NDArray, predictions: NDArray, probabilities: NDArray) -> Metric:
    """Expected calibration error: the gap between confidence and accuracy, mean over rows of the
    gaps of their bins."""
    confidence, bins = confidence_bins(probabilities)
    gaps = np.zeros((len(bins), BINS))
    gaps[np.arange(len(bins)), bins] = confidence - (targets == predictions)
    return lambda weights: np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)


@dataclass(frozen=True)
class Bin:
    """Rows of like confidence."""

    rows: int
    confidence: float
    """Mean highest probability."""
    accuracy: float


def reliability(targets: NDArray, predictions: NDArray, probabilities: NDArray) -> list[Bin]:
    """The bins that have rows, by confidence."""
    confidence, bins = confidence_bins(probabilities)
    hits = targets == predictions
    return [
        Bin(int(mine.sum()), float(confidence[mine].mean()), float(hits[mine].mean()))
        for mine in (bins == number for number in np.unique(bins))
    ]
