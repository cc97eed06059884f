"""A Gaussian process fitted to all results of a study, to explain them (not to propose)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from tasks.suggest.problem import row_or_none
from tasks.suggest.space.space import Space
from tasks.suggest.surrogate.gp import GaussianProcess, condition, fit
from tasks.suggest.surrogate.kernel import Features, features
from tasks.suggest.surrogate.model import chosen_points
from tasks.suggest.surrogate.output_transform import standardised
from tasks.suggest.types import Rows, Values, Vector

FEWEST = 8
"""With fewer results no model is fitted."""
_MOST = 200


@dataclass(frozen=True)
class FittedModel:
    """A Gaussian process fitted to results, and the scale of its predictions."""

    space: Space
    points: Features
    levels: Vector
    """Transformed results, shape (n,): standardised, skew removed."""
    losses: Vector
    """The same results untransformed, shape (n,)."""
    process: GaussianProcess
    results: int
    """Number of results before subsampling."""

    def expected(self, even: Rows) -> Vector:
        """Posterior mean, shape (n,), at the configurations nearest to rows in [0, 1], (n, d)."""
        return self.process.predict(features(self.space, self.space.snap(even)))[0]

    def as_losses(self, levels: Vector) -> Vector:
        """Transformed results back on their own scale, clipped to the best and the worst."""
        order = np.argsort(self.levels, kind="stable")
        return np.interp(levels, self.levels[order], self.losses[order])


def fit_model(
    space: Space, results: Sequence[tuple[Values, float]], generator: np.random.Generator
) -> FittedModel | None:
    """The process of a quantity that should be small.

    `results` are configurations and their values, in any fixed order; those of another space or
    without a finite value are left out. None where fewer than `FEWEST` are left, or all values are
    alike.
    """
    encoded = [(row_or_none(space, values), value) for values, value in results]
    known = [(row, value) for row, value in encoded if row is not None and np.isfinite(value)]
    losses = np.array([value for _, value in known])
    if len(known) < FEWEST or np.ptp(losses) == 0:
        return None
    rows = np.array([row for row, _ in known])
    levels = standardised(losses)
    kept = chosen_points(levels, _MOST, generator)
    points, levels = features(space, rows[kept]), levels[kept]
    with threadpool_limits(1):
        process = condition(fit(points, levels), points, levels)
    return FittedModel(space, points, levels, losses[kept], process, len(known))
