"""Metrics of the confusion matrix: accuracy, precision, recall, F1 and their averages.

A classifier's confusion matrix enters every metric here through three margins a class: how many
rows are of the class, how many were predicted to be, and how many both. All functions take arrays
of shape (..., classes) and answer (...): one call serves one sample or a thousand resamples.
Classes that occur neither among the targets nor among the predictions do not count in an average.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conf.runtime.types import Array

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Margins:
    """Counts by class, as floats of shape (..., classes)."""

    hits: Floats
    targets: Floats
    predicted: Floats

    @property
    def rows(self) -> Floats:
        """Number of rows, shape (...)."""
        return self.targets.sum(axis=-1)


def confusion(targets: Array, predictions: Array, classes: int) -> NDArray[np.int64]:
    """Confusion matrix (classes, classes): rows are targets, columns predictions."""
    cells = targets.astype(np.int64) * classes + predictions.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def margins(matrix: Array) -> Margins:
    """Margins of confusion matrices of shape (..., classes, classes)."""
    matrix = matrix.astype(np.float64)
    return Margins(
        hits=np.diagonal(matrix, axis1=-2, axis2=-1),
        targets=matrix.sum(axis=-1),
        predicted=matrix.sum(axis=-2),
    )


def ratio(part: Floats, whole: Floats) -> Floats:
    """Quotient, 0 where the denominator is 0."""
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)


def precision(counts: Margins) -> Floats:
    """Precision by class."""
    return ratio(counts.hits, counts.predicted)


def recall(counts: Margins) -> Floats:
    """Recall by class."""
    return ratio(counts.hits, counts.targets)


def f1(counts: Margins) -> Floats:
    """F1 by class."""
    return ratio(2.0 * counts.hits, counts.targets + counts.predicted)


def macro(values: Floats, counts: Margins) -> Floats:
    """Mean over the classes that occur."""
    occurs = counts.targets + counts.predicted > 0
    return ratio((values * occurs).sum(axis=-1), occurs.sum(axis=-1))


def weighted(values: Floats, counts: Margins) -> Floats:
    """Mean over classes, weighted by their rows."""
    return ratio((values * counts.targets).sum(axis=-1), counts.rows)


def accuracy(counts: Margins) -> Floats:
    """Share of rows predicted rightly; for one label a row also micro precision, recall and F1."""
    return ratio(counts.hits.sum(axis=-1), counts.rows)


def balanced_accuracy(counts: Margins) -> Floats:
    """Mean recall over the classes that have rows."""
    return ratio(recall(counts).sum(axis=-1), (counts.targets > 0).sum(axis=-1))


def matthews(counts: Margins) -> Floats:
    """Matthews correlation coefficient, 0 if targets or predictions are constant.

    Multiclass form: Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006.
    """
    rows = counts.rows
    both = counts.hits.sum(axis=-1) * rows - (counts.targets * counts.predicted).sum(axis=-1)
    spread = (rows**2 - (counts.targets**2).sum(axis=-1)) * (
        rows**2 - (counts.predicted**2).sum(axis=-1)
    )
    return ratio(both, np.sqrt(spread))


def of_second(values: Floats) -> Floats:
    """The value of class 1 in a binary task; NaN if there are more classes."""
    return values[..., 1] if values.shape[-1] == 2 else np.full(values.shape[:-1], np.nan)


METRICS: dict[str, Callable[[Margins], Floats]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "matthews": matthews,
    "precision_macro": lambda counts: macro(precision(counts), counts),
    "precision_micro": accuracy,
    "precision_weighted": lambda counts: weighted(precision(counts), counts),
    "recall_macro": lambda counts: macro(recall(counts), counts),
    "recall_micro": accuracy,
    "recall_weighted": lambda counts: weighted(recall(counts), counts),
    "precision": lambda counts: of_second(precision(counts)),
    "recall": lambda counts: of_second(recall(counts)),
    "f1": lambda counts: of_second(f1(counts)),
    "f1_macro": lambda counts: macro(f1(counts), counts),
    "f1_micro": accuracy,
    "f1_weighted": lambda counts: weighted(f1(counts), counts),
}
"""Metric name to the function of the counts."""
