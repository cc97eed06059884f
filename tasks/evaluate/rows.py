"""Metrics that are the mean of one number a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def log_loss(targets: NDArray, probabilities: NDArray) -> NDArray[np.float64]:
    """Negative log-likelihood of each row's target, in nats.

    Probabilities are clipped as far from 0 and 1 as their own precision can tell them apart, so
    that one confident error is costly and not infinite.
    """
    chosen = np.take_along_axis(probabilities, targets.astype(np.int64)[:, None], axis=1)[:, 0]
    epsilon = np.finfo(probabilities.dtype).eps
    return -np.log(np.clip(chosen.astype(np.float64), epsilon, 1.0 - epsilon))


METRICS = {"log_loss": log_loss}
"""Metric name to the function of (targets, probabilities) that answers one number a row."""
