"""Two-sample tests for drift: Kolmogorov-Smirnov, maximum mean discrepancy and stability index.

Every p-value comes from a permutation test: the rows of both samples are pooled and split again at
random, which assumes nothing about their distribution. The permutations depend on the seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conf.runtime.types import Array, Ints

Samples = NDArray[np.floating]

BLOCK = 100  # permutations at a time; bounds the memory
BINS = 10  # of a PSI
SLACK = 1e-5  # rounding of float32 sums: distances this close count as equal
MOST_TOGETHER = 500  # rows of each sample in the kernel matrix


@dataclass(frozen=True)
class Distances:
    """Kolmogorov-Smirnov distances of d features and their p-values; arrays have shape (d,)."""

    each: NDArray[np.float64]
    p_each: NDArray[np.float64]
    """Family-wise p-value of each feature (max-T permutation, Westfall and Young 1993)."""
    p: float
    """p-value of the greatest distance."""


@dataclass(frozen=True)
class Distance:
    """One distance and its p-value."""

    value: float
    p: float


def kolmogorov_smirnov(
    old: Samples, new: Samples, *, resamples: int, seed: int = 0, lower: bool = False
) -> Distances:
    """Kolmogorov-Smirnov distance of every feature, with family-wise p-values.

    Each distance is compared with the largest distance of any feature in every permutation, which
    controls the family-wise error whatever the dependence between features.

    Args:
        old: shape (m, d).
        new: shape (n, d).
        resamples: number of permutations.
        seed: of the permutations.
        lower: one-sided: only measure how much smaller the new values are.
    """
    shares = _shares(len(old), len(new))
    order, last = _steps(old, new)
    each = _gaps(shares[None, :], order, last, lower)[:, 0]
    random, greatest = np.random.default_rng(seed), []
    for start in range(0, resamples, BLOCK):
        many = (min(BLOCK, resamples - start), 1)
        shuffled = random.permuted(np.tile(shares.astype(np.float32), many), axis=1)
        greatest.append(_gaps(shuffled, order, last, lower).max(axis=0))
    null = np.sort(np.concatenate(greatest))
    beyond = resamples - np.searchsorted(null, each - SLACK)
    p_each = (1 + beyond) / (1 + resamples)
    return Distances(each, p_each, float(p_each.min()))


def distances(old: Samples, new: Samples) -> NDArray[np.float64]:
    """Kolmogorov-Smirnov distance of every feature, shape (d,), without a test.

    Args:
        old: shape (m, d).
        new: shape (n, d).
    """
    return _gaps(_shares(len(old), len(new))[None, :], *_steps(old, new), False)[:, 0]


def _steps(old: Samples, new: Samples) -> tuple[Ints, NDArray[np.bool_]]:
    """Order of the pooled rows by each feature, and which row is the last of its value."""
    pooled = np.concatenate([old, new])
    order = np.argsort(pooled, axis=0, kind="stable")
    sorted_ = np.take_along_axis(pooled, order, axis=0)
    last = np.ones(sorted_.shape, dtype=bool)  # equal values step together
    last[:-1] = sorted_[1:] > sorted_[:-1]
    return order, last


def _shares(old: int, new: int) -> NDArray[np.float64]:
    """Step of each row in the difference of the two empirical distribution functions."""
    return np.concatenate([np.full(old, -1 / old), np.full(new, 1 / new)])


def _gaps(shares: Array, order: Array, last: Array, lower: bool) -> NDArray[np.float64]:
    """Distances of shape (d, permutations) for shares of shape (permutations, rows)."""
    distances = np.empty((order.shape[1], len(shares)))
    for feature in range(order.shape[1]):
        steps = np.cumsum(shares[:, order[:, feature]], axis=1)
        if not lower:
            np.abs(steps, out=steps)
        ties = last[:, feature]
        distances[feature] = (steps if ties.all() else steps[:, ties]).max(axis=1)
    return distances


def maximum_mean_discrepancy(
    old: Samples, new: Samples, *, resamples: int, seed: int = 0
) -> Distance:
    """Kernel two-sample test of the joint distribution (Gretton et al. 2012, jmlr.org/papers/v13).

    Gaussian kernel on features scaled by their standard deviation in `old`; its width is the
    median squared distance there. At most 500 rows a side are used, drawn by the seed.
    """
    random = np.random.default_rng(seed)
    old, new = (_some(rows, MOST_TOGETHER, random) for rows in (old, new))
    spread = old.std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    pooled = np.concatenate([old, new]) / scale
    squared = np.square(pooled).sum(axis=1)
    far = np.maximum(squared[:, None] + squared[None, :] - 2 * pooled @ pooled.T, 0.0)
    within = far[: len(old), : len(old)]
    width = float(np.median(within[np.triu_indices(len(old), 1)])) or 1.0
    kernel = np.exp(-far / width)
    shares = _shares(len(old), len(new))
    value = float(shares @ kernel @ shares)
    shuffled = random.permuted(np.tile(shares, (resamples, 1)), axis=1)
    null = ((shuffled @ kernel) * shuffled).sum(axis=1)
    return Distance(max(value, 0.0) ** 0.5, _p(null, value))


def _some(rows: Samples, most: int, random: np.random.Generator) -> Samples:
    rows = np.asarray(rows, dtype=np.float64)
    if len(rows) <= most:
        return rows
    return rows[random.choice(len(rows), most, replace=False)]


def stability(old: Array, new: Array) -> NDArray[np.float64]:
    """Population stability index (PSI) of counts by bin, over the last axis.

    The sum over bins of (b - a) ln(b / a), the symmetric Kullback-Leibler divergence of the shares
    a and b (Taplin and Hunt 2019, doi:10.3390/risks7020053). Half a row is added to every bin, so
    that an empty bin does not make it infinite.

    Args:
        old: shape (..., bins).
        new: shape (..., bins).
    """
    a, b = old + 0.5, new + 0.5
    a, b = a / a.sum(axis=-1, keepdims=True), b / b.sum(axis=-1, keepdims=True)
    index: NDArray[np.float64] = ((b - a) * np.log(b / a)).sum(axis=-1)
    return index


def feature_stability(old: Samples, new: Samples) -> NDArray[np.float64]:
    """PSI of each feature, shape (d,), over ten bins of equal counts in `old`; fewer if values
    repeat."""
    return np.array([_binned(a, b) for a, b in zip(old.T, new.T, strict=True)])


def _binned(old: Samples, new: Samples) -> float:
    edges = np.unique(np.quantile(old, np.linspace(0, 1, BINS + 1)[1:-1]))
    a, b = (np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) for x in (old, new))
    return float(stability(a, b))


def count_stability(old: Array, new: Array, *, resamples: int, seed: int = 0) -> Distance:
    """PSI of the counts by class of two samples, and its permutation p-value."""
    value = float(stability(old, new))
    random = np.random.default_rng(seed)
    both = (old + new).astype(np.int64)
    drawn = random.multivariate_hypergeometric(both, int(new.sum()), size=resamples)
    return Distance(value, _p(stability(both - drawn, drawn), value))


def total_variation(old: Array, new: Array) -> float:
    """Total variation distance between the shares of the classes, from 0 to 1."""
    return float(np.abs(old / old.sum() - new / new.sum()).sum() / 2)


def _p(null: Array, value: float) -> float:
    return float((1 + (null >= value - 1e-9).sum()) / (1 + len(null)))
