"""Metrics as functions of row weights, so that one function scores a split and its resamples.

A bootstrap resample is how often each row was drawn. A `Metric` takes such weights, of shape
(samples, rows), and returns one value per sample, of shape (samples,); whatever it needs from the
predictions is computed once, when the metric is built. A thousand resamples are then one matrix
product instead of a thousand calls.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conf.runtime.types import Array, Floats

Metric = Callable[[Floats], Floats]


def on_all_rows(metric: Metric, rows: int) -> float:
    """The metric of the whole split: every row has weight 1."""
    return float(metric(np.ones((1, rows)))[0])


def metric_of_sums(numbers: Floats, value: Callable[[Floats], Floats]) -> Metric:
    """A metric that depends only on sums over the rows.

    Args:
        numbers: what is summed, of shape (rows, k).
        value: the metric of the weighted sums, of shape (samples, k), as shape (samples,).
    """
    return lambda weights: value(weights @ numbers)


def mean(values: Array) -> Metric:
    """The weighted mean of one number per row; `values` has shape (rows,)."""
    column = np.asarray(values, dtype=np.float64)
    return lambda weights: (weights @ column) / weights.sum(axis=1)
