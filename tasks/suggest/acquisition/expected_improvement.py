"""Acquisition: log expected improvement, and weights that are added to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import erfcx, log_ndtr

from tasks.suggest.types import Rows, Vector

LogWeight = Callable[[Rows], Vector]
"""Rows to the term, shape (n,), that is added to the log acquisition there."""


def log_expected_improvement(mean: Vector, variance: Vector, best: float) -> Vector:
    """Logarithm of the expected improvement, shape (n,); larger is better.

    Expected improvement: Jones et al. 1998, doi:10.1023/A:1008306431147. Its logarithm is computed
    in a form that stays exact far into the tail, where EI itself underflows to 0 and says nothing
    about which point is better: Ament et al. 2023, arXiv:2310.20708.

    Args:
        mean: Posterior mean of the standardised loss, shape (n,).
        variance: Posterior variance, shape (n,).
        best: The standardised loss of the incumbent.
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
    """A weight of 1 everywhere."""
    return np.zeros(len(rows))


def summed(terms: Sequence[LogWeight]) -> LogWeight:
    """The product of several weights: the sum of their logarithms."""
    return lambda rows: (
        np.sum([term(rows) for term in terms], axis=0) if terms else no_log_weight(rows)
    )
