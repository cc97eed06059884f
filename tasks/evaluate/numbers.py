"""Metrics of predicted numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conf.runtime.types import Array, Floats
from tasks.evaluate.weighted_metric import Metric, mean, metric_of_sums


def mae(targets: Array, predictions: Array) -> Metric:
    """Mean absolute error."""
    return mean(np.abs(targets - predictions))


def rmse(targets: Array, predictions: Array) -> Metric:
    """Root of the mean squared error."""
    squared = mean((targets - predictions) ** 2)
    return lambda weights: np.sqrt(squared(weights))


def r2(targets: Array, predictions: Array) -> Metric:
    """Share of the variance that is explained; no number where the targets do not vary."""
    centred = targets - targets.mean()  # else the sums of squares lose their digits
    numbers = np.stack(
        [np.ones_like(centred), centred, centred**2, (targets - predictions) ** 2], axis=1
    )
    return metric_of_sums(numbers, _explained)


def _explained(sums: Floats) -> Floats:
    rows, total, squares, errors = sums.T
    spread = squares - total**2 / rows
    varies = spread > 1e-12 * np.maximum(squares, 1e-300)
    return 1.0 - np.divide(errors, spread, out=np.full(len(sums), np.nan), where=varies)


METRICS: dict[str, Callable[[Array, Array], Metric]] = {"mae": mae, "rmse": rmse, "r2": r2}
"""Metric name to the function of (targets, predictions), floats of shape (rows,)."""
