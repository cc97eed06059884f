"""How promising a point is, given what the model expects there: larger is better, in logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import erfcx, log_ndtr

from tasks.suggest.types import Rows, Vector

LogWeight = Callable[[Rows], Vector]
"""Rows -> what is added to the logarithm of an acquisition there."""


def log_expected_improvement(mean: Vector, variance: Vector, best: float) -> Vector:
    """Logarithm of the expected improvement; exact far into the tail, where EI itself is 0.

    Arguments are mean and variance of the standardised loss, and the loss to beat.
    """
    deviation = np.sqrt(variance)
    z = (best - mean) / deviation
    density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    near = np.maximum(z, -1.0)
    close = np.log(np.exp(-0.5 * near**2) / np.sqrt(2 * np.pi) + near * np.exp(log_ndtr(near)))
    far = np.clip(z, -1e6, -1.0)
    # phi(z) + z Phi(z) = phi(z) (1 + z sqrt(pi/2) erfcx(-z/sqrt 2)); about phi(z) / z^2 far out.
    ratio = 1.0 + far * np.sqrt(np.pi / 2) * erfcx(-far / np.sqrt(2))
    tail = np.where(far < -1e3, -2.0 * np.log(-far), np.log(np.maximum(ratio, 1e-300)))
    return np.asarray(np.where(z > -1.0, close, density + tail) + np.log(deviation))


def no_log_weight(rows: Rows) -> Vector:
    """No leaning at all."""
    return np.zeros(len(rows))


def summed(leans: Sequence[LogWeight]) -> LogWeight:
    """The sum of several."""
    return lambda rows: (
        np.sum([log_weight(rows) for log_weight in leans], axis=0) if leans else no_log_weight(rows)
    )
