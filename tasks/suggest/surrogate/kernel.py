"""The kernel: Matern 5/2 with input warping over ordered settings, overlap over categories.

Ordered settings have a length scale each (ARD) after a Kumaraswamy warp of the unit interval, which
makes the objective closer to stationary (Snoek et al. 2014, arXiv:1402.0929). Unordered ones
multiply it by exp(-w) where they differ. An inactive ordered setting stands mid-range, an inactive
category is a
category of its own: two configurations in which it is inactive do not differ in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conf.runtime.types import Floats
from tasks.suggest.space.space import Space
from tasks.suggest.types import Matrix, Rows

_EDGE = 1e-5


@dataclass(frozen=True)
class Features:
    """Configurations as the kernel reads them."""

    numeric: Matrix
    """(n, ordered settings), in (0, 1)."""
    labels: NDArray[np.int64]
    """(n, unordered settings)."""

    def __len__(self) -> int:
        return len(self.numeric)

    def take(self, index: NDArray[np.int64] | slice) -> Features:
        """Some of the configurations."""
        return Features(self.numeric[index], self.labels[index])

    def join(self, other: Features) -> Features:
        """These configurations, then the others."""
        return Features(
            np.vstack([self.numeric, other.numeric]), np.vstack([self.labels, other.labels])
        )


def features(space: Space, rows: Rows) -> Features:
    """Snapped rows as features; settings with a single value are left out."""
    free = [i for i, p in enumerate(space.parameters) if p.levels != 1]
    numeric = [i for i in free if space.parameters[i].ordered]
    unordered = [i for i in free if not space.parameters[i].ordered]
    x = np.where(np.isnan(rows[:, numeric]), 0.5, rows[:, numeric])
    return Features(np.clip(x, _EDGE, 1 - _EDGE), _labels(space, rows, unordered))


def _labels(space: Space, rows: Rows, columns: list[int]) -> NDArray[np.int64]:
    levels = np.array([space.parameters[i].levels for i in columns], dtype=float)
    chosen = rows[:, columns]
    return np.where(np.isnan(chosen), levels, np.floor(np.nan_to_num(chosen) * levels)).astype(int)


@dataclass(frozen=True)
class Theta:
    """Hyper-parameters, all as natural logarithms, in one vector."""

    vector: Floats
    numeric: int
    unordered: int

    @staticmethod
    def size(numeric: int, unordered: int) -> int:
        """Length of the vector."""
        return 3 * numeric + unordered + 2

    @property
    def lengths(self) -> Matrix:
        """Length scale of each ordered setting, in shares of its (warped) range."""
        return np.exp(self.vector[: self.numeric])

    @property
    def warp(self) -> tuple[Matrix, Matrix]:
        """Kumaraswamy's a and b of each ordered setting; both 1: no warp."""
        d = self.numeric
        return np.exp(self.vector[d : 2 * d]), np.exp(self.vector[2 * d : 3 * d])

    @property
    def weights(self) -> Matrix:
        """How much each unordered setting matters: 0 not at all."""
        return np.exp(self.vector[3 * self.numeric : 3 * self.numeric + self.unordered])

    @property
    def signal(self) -> float:
        """Variance of the function."""
        return float(np.exp(self.vector[-2]))

    @property
    def noise(self) -> float:
        """Variance of an observation around it."""
        return float(np.exp(self.vector[-1]))


def warped(x: Matrix, theta: Theta) -> Matrix:
    """Ordered settings after the warp, in units of their length scales."""
    a, b = theta.warp
    return np.asarray((1.0 - (1.0 - x**a) ** b) / theta.lengths)


def squared_distances(z: Matrix, other: Matrix) -> Matrix:
    """Squared Euclidean distances between the rows of two tables."""
    gaps = np.sum(z**2, axis=1)[:, None] + np.sum(other**2, axis=1)[None, :] - 2.0 * z @ other.T
    return np.maximum(gaps, 0.0)


def category_factor(
    labels: NDArray[np.int64], other: NDArray[np.int64], theta: Theta
) -> Matrix | float:
    """The share of covariance that differing categories leave."""
    if labels.shape[1] == 0:
        return 1.0
    exponent = np.zeros((len(labels), len(other)))
    for c, weight in enumerate(theta.weights):
        exponent -= weight * (labels[:, c][:, None] != other[:, c][None, :])
    return np.asarray(np.exp(exponent))


def covariance(left: Features, right: Features, theta: Theta) -> Matrix:
    """Covariances, noise apart, of two sets of configurations."""
    squared = squared_distances(warped(left.numeric, theta), warped(right.numeric, theta))
    root = np.sqrt(5.0 * squared)
    matern = (1.0 + root + root**2 / 3.0) * np.exp(-root)
    return np.asarray(theta.signal * matern * category_factor(left.labels, right.labels, theta))
