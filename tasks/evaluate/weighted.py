"""Metrics of rows that count more or less often, for a whole part and a thousand resamples alike.

A metric here is a function of weights of shape (samples, rows), how often each row stands in each
sample, that answers (samples,). What it needs of the predictions it has computed once before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Callable[[Floats], Floats]


def on_all(metric: Metric, rows: int) -> float:
    """The metric where every row counts once."""
    return float(metric(np.ones((1, rows)))[0])


def of_sums(numbers: Floats, value: Callable[[Floats], Floats]) -> Metric:
    """A function of the sums over rows of `numbers`, (rows, k); `value` takes (samples, k)."""
    return lambda weights: value(weights @ numbers)


def mean(values: NDArray) -> Metric:
    """The mean of one number a row."""
    column = np.asarray(values, dtype=np.float64)
    return lambda weights: (weights @ column) / weights.sum(axis=1)
