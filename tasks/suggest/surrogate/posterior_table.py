"""Posterior over a fixed table of candidates, updated as fantasies are added."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from tasks.suggest.surrogate.gp import JITTER, GaussianProcess
from tasks.suggest.surrogate.kernel import Features, covariance


class PosteriorTable:
    """Mean and variance at every point of a table.

    A fantasy adds one row to the table's half-solved covariance instead of solving again: the cost
    of a pick is linear in the number of observations.
    """

    def __init__(self, process: GaussianProcess, table: Features) -> None:
        self._table = table
        cross = covariance(process.points, table, process.theta)
        self.mean = cross.T @ process.weights + process.level
        self._half = [solve_triangular(process.factor, cross, lower=True, check_finite=False)]
        self._damping = process.plateau_damping(cross)
        self._variance = process.theta.signal - np.sum(self._half[0] ** 2, axis=0)

    @property
    def variance(self) -> np.ndarray:
        """Noise-free posterior variance, shape (n,)."""
        return np.maximum(self._variance * self._damping, 1e-12)

    def condition_on_mean(self, process: GaussianProcess, at: Features) -> None:
        """Add the fantasy at one more point; `process` is the one before it."""
        theta = process.theta
        cross = covariance(process.points, at, theta)
        half = solve_triangular(process.factor, cross, lower=True, check_finite=False)[:, 0]
        rest = theta.signal + theta.noise + JITTER - half @ half
        row = covariance(at, self._table, theta)[0]
        done = 0
        for block in self._half:
            row = row - half[done : done + len(block)] @ block
            done += len(block)
        row = row / np.sqrt(max(rest, JITTER))
        self._half.append(row[None, :])
        self._variance = self._variance - row**2
