"""The posterior over a fixed table of points, kept up to date as points are believed."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from tasks.suggest.surrogate.gp import JITTER, GaussianProcess
from tasks.suggest.surrogate.kernel import Features, covariance


class PosteriorTable:
    """Mean and variance at every point of a table.

    Believing a point adds one row to the table's half-solved covariance instead of solving again:
    the cost of a pick is linear in the number of observations.
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
        """Variance of the function, noise apart."""
        return np.maximum(self._variance * self._damping, 1e-12)

    def condition_on_mean(self, process: GaussianProcess, at: Features) -> None:
        """Condition on the process's own mean at one more point; `process` knows it not yet."""
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
