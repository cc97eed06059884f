"""Gaussian process regression: fit, condition, predict.

Follows Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1. The
hyper-parameters are a maximum a posteriori estimate by L-BFGS with an analytic gradient. They are
fitted once a batch; its picks extend the Cholesky factor row by row instead of fitting again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from tasks.suggest.surrogate.kernel import (
    Features,
    Theta,
    category_factor,
    covariance,
    squared_distances,
    warped,
)
from tasks.suggest.types import Matrix, Vector

JITTER = 1e-8
_NEAREST = 3


@dataclass(frozen=True)
class HyperPrior:
    """Independent normal priors on the log hyper-parameters, each field of shape (p,)."""

    mean: Vector
    deviation: Vector
    low: Vector
    high: Vector


def hyper_prior(numeric: int, unordered: int, *, warp: bool = True) -> HyperPrior:
    """Priors: length scales that grow with the dimension, little warping, little noise.

    Without growing length scales a process of many settings expects a far too rough function:
    Hvarfner et al. 2024, arXiv:2402.02229.
    """
    d, c = numeric, unordered
    quantiles = 0.4 if warp else 1e-9
    rows = (
        [(np.log(0.5) + 0.5 * np.log(max(d, 1) / 3.0), 1.0, np.log(0.03), np.log(30.0))] * d
        + [(0.0, quantiles, -1.5, 1.5)] * (2 * d)
        + [(np.log(0.5), 1.0, np.log(1e-3), np.log(10.0))] * c
        + [(0.0, 0.5, -3.0, 3.0), (np.log(0.01), 1.5, np.log(1e-5), np.log(1.0))]
    )
    table = np.array(rows)
    return HyperPrior(table[:, 0], table[:, 1], table[:, 2], table[:, 3])


@dataclass(frozen=True)
class GaussianProcess:
    """A Gaussian process with hyper-parameters `theta`, conditioned on n points."""

    theta: Theta
    points: Features
    factor: Matrix
    """Lower Cholesky factor of the points' covariance, noise included; shape (n, n)."""
    weights: Vector
    """Covariance inverse times values, shape (n,): the mean is covariance times these."""
    level: float = 0.0
    """Prior mean: the prediction far from all points."""
    plateau_values: Vector | None = None
    """Values of the first points; ties among neighbours mean a plateau. None: no damping."""

    def predict(self, at: Features) -> tuple[Vector, Vector]:
        """Posterior mean and noise-free variance, each of shape (n,).

        The variance is damped where the nearest observations tie, see `plateau_damping`.
        """
        cross = covariance(self.points, at, self.theta)
        half = solve_triangular(self.factor, cross, lower=True, check_finite=False)
        variance = self.theta.signal - np.sum(half**2, axis=0)
        variance = variance * self.plateau_damping(cross)
        return cross.T @ self.weights + self.level, np.maximum(variance, 1e-12)

    def plateau_damping(self, cross: Matrix) -> Vector | float:
        """Factor on the variance, shape (m,): below 1 where the three nearest results tie.

        A loss with steps (trees, error counts) is flat there, which no stationary covariance can
        express: without damping, picks are spent on mapping plateaus. The nearer the tied points,
        the smaller the factor.

        Args:
            cross: Covariances of the n points with the m points of the prediction, (n, m).
        """
        if self.plateau_values is None or len(self.plateau_values) < _NEAREST:
            return 1.0
        known = cross[: len(self.plateau_values)]
        nearest = np.argpartition(-known, _NEAREST - 1, axis=0)[:_NEAREST]
        tied = np.ptp(self.plateau_values[nearest], axis=0) < 1e-9
        likeness = np.min(np.take_along_axis(known, nearest, axis=0), axis=0) / self.theta.signal
        return np.where(tied, (1.0 - np.minimum(likeness, 1.0)) ** 2, 1.0)

    def shifted(self, level: float) -> GaussianProcess:
        """The same process with all values greater by `level`."""
        return replace(self, level=self.level + level)

    def condition_on_mean(self, at: Features) -> GaussianProcess:
        """The process after fantasies at m more points: observations of its own posterior mean.

        The mean stays the same everywhere and the variance shrinks around the points, so that the
        next pick goes elsewhere. The Cholesky factor is extended, at O(n^2 m).
        """
        if len(at) == 0:
            return self
        cross = covariance(self.points, at, self.theta)
        half = solve_triangular(self.factor, cross, lower=True, check_finite=False)
        noise = (self.theta.noise + JITTER) * np.eye(len(at))
        rest = covariance(at, at, self.theta) + noise - half.T @ half
        corner = lower_factor(rest)
        n, m = len(self.points), len(at)
        factor = np.zeros((n + m, n + m))
        factor[:n, :n], factor[n:, :n], factor[n:, n:] = self.factor, half.T, corner
        # Observing the mean changes no mean: the new points weigh nothing.
        weights = np.concatenate([self.weights, np.zeros(m)])
        return GaussianProcess(
            self.theta, self.points.join(at), factor, weights, self.level, self.plateau_values
        )


def lower_factor(matrix: Matrix) -> Matrix:
    """Lower Cholesky factor, with jitter where rounding left the covariance indefinite."""
    size = float(np.mean(np.diag(matrix)))
    for share in (0.0, 1e-8, 1e-6, 1e-4):
        try:
            lifted = matrix + share * size * np.eye(len(matrix)) if share else matrix
            return np.asarray(cholesky(lifted, lower=True, check_finite=False))
        except np.linalg.LinAlgError:
            continue
    return np.diag(np.sqrt(np.maximum(np.diag(matrix), JITTER)))


def condition(theta: Theta, points: Features, values: Vector) -> GaussianProcess:
    """The process with hyper-parameters `theta` after observing `values`, (n,), at `points`."""
    matrix = covariance(points, points, theta)
    matrix[np.diag_indices_from(matrix)] += theta.noise + JITTER * theta.signal
    factor = lower_factor(matrix)
    half = solve_triangular(factor, values, lower=True, check_finite=False)
    return GaussianProcess(
        theta, points, factor, solve_triangular(factor.T, half, check_finite=False)
    )


def fit(
    points: Features,
    values: Vector,
    *,
    start: Vector | None = None,
    iterations: int = 30,
    warp: bool = True,
) -> Theta:
    """Maximum a posteriori hyper-parameters.

    Args:
        points: Observed configurations.
        values: Standardised values, shape (n,).
        start: Log hyper-parameters of the previous fit, tried as a warm start.
        iterations: Of L-BFGS at most.
        warp: Whether to learn the input warping.
    """
    d, c = points.numeric.shape[1], points.labels.shape[1]
    priors = hyper_prior(d, c, warp=warp)
    first = priors.mean
    if start is not None and len(start) == Theta.size(d, c):
        here = _loss_and_slope(start, points, values, priors)[0]
        if here <= _loss_and_slope(priors.mean, points, values, priors)[0]:
            first = start
    result = minimize(
        _loss_and_slope,
        np.clip(first, priors.low, priors.high),
        args=(points, values, priors),
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(priors.low, priors.high, strict=True)),
        options={"maxiter": iterations},
    )
    return Theta(result.x, d, c)


def _loss_and_slope(
    vector: Vector, points: Features, values: Vector, priors: HyperPrior
) -> tuple[float, Vector]:
    """Negative log posterior density and its gradient."""
    theta = Theta(vector, points.numeric.shape[1], points.labels.shape[1])
    z = warped(points.numeric, theta)
    root = np.sqrt(5.0 * squared_distances(z, z))
    decay = theta.signal * np.exp(-root) * category_factor(points.labels, points.labels, theta)
    kernel = (1.0 + root + root**2 / 3.0) * decay
    gap = (vector - priors.mean) / priors.deviation
    prior_loss, prior_slope = 0.5 * float(gap @ gap), gap / priors.deviation
    noisy = kernel.copy()
    noisy[np.diag_indices_from(noisy)] += theta.noise + JITTER * theta.signal
    try:
        factor = cholesky(noisy, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return 1e25, prior_slope
    inverse = _inverse(factor)
    weights = inverse @ values
    loss = 0.5 * float(values @ weights) + float(np.sum(np.log(np.diag(factor))))
    sensitivity = 0.5 * (inverse - np.outer(weights, weights))
    slope = _slope(theta, points, z, sensitivity, kernel, -5.0 / 6.0 * (1.0 + root) * decay)
    return loss + prior_loss, slope + prior_slope


def _inverse(factor: Matrix) -> Matrix:
    lower, _ = dpotri(factor, lower=1)
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T)


def _slope(
    theta: Theta,
    points: Features,
    z: Matrix,
    sensitivity: Matrix,
    kernel: Matrix,
    by_square: Matrix,
) -> Vector:
    """Gradient of the likelihood; sums over pairs are done as matrix products.

    `by_square` is the kernel's derivative by the squared distance: for any change v of the columns
    z, the sum over pairs of M_ij (z_i - z_j)(v_i - v_j) is 2 (s . zv - z . Mv), s the row sums.
    """
    pull = sensitivity * by_square
    sums, spread = pull.sum(axis=1), pull @ z
    a, b = theta.warp
    x, inner = points.numeric, 1.0 - points.numeric**a
    by_a = a * b * inner ** (b - 1.0) * (1.0 - inner) * np.log(x) / theta.lengths
    by_b = -b * inner**b * np.log(inner) / theta.lengths

    def along(change: Matrix) -> Vector:
        return np.asarray(4.0 * np.sum(change * (sums[:, None] * z - spread), axis=0))

    share = sensitivity * kernel
    weights = [
        -weight * float(np.sum(share * (column[:, None] != column[None, :])))
        for weight, column in zip(theta.weights, points.labels.T, strict=True)
    ]
    noise = theta.noise * float(np.trace(sensitivity))
    return np.concatenate([-along(z), along(by_a), along(by_b), weights, [np.sum(share), noise]])
