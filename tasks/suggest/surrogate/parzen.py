"""Tree-structured Parzen estimator: density ratio of the better trials to the others.

Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", NeurIPS 24. Each density is a
mixture of a kernel around every trial and a uniform component. It depends on the ranks of the
losses alone, and so copes with steps, plateaus and ties, where a Gaussian process is weakest.
"""

from __future__ import annotations

import numpy as np

from conf.runtime.types import Floats
from tasks.suggest.space.parameters import reflected
from tasks.suggest.space.space import Space
from tasks.suggest.types import Rows, Vector

_SHARE = 0.15
"""Of all trials the better ones, ..."""
_MOST = 25
"""... and never more: later on they are the very best."""
_REST = 400
"""Of the others so many at most, the latest: the cost of a pick stays flat."""
_WIDTH = 0.25
"""Of a kernel around one trial, as a share of a setting's range; less around many."""
_STAY = 0.8
"""Weight that a kernel gives to its trial's own category."""


class Parzen:
    """The two densities. Failed and pending trials (`others`) and picks count as not better."""

    def __init__(self, space: Space, rows: Rows, losses: Vector, others: Rows) -> None:
        self._space = space
        order = np.argsort(losses, kind="stable")
        count = min(_MOST, max(2, int(np.ceil(_SHARE * len(rows)))))
        self._good = rows[order[:count]]
        self._rest = np.vstack([rows[np.sort(order[count:])][-_REST:], others])

    def add_other(self, row: Floats) -> None:
        """Count one more configuration, (d,), among the others."""
        self._rest = np.vstack([self._rest, row])

    def draw(self, count: int, generator: np.random.Generator) -> Rows:
        """About `count` configurations from the density of the better trials."""
        rows = self._good[generator.integers(len(self._good), size=count)]
        fresh, steps = generator.random(rows.shape), generator.standard_normal(rows.shape)
        moved = reflected(rows + steps * _width(self._good))
        anew = generator.random(rows.shape) > _STAY
        ordered = np.array([parameter.ordered for parameter in self._space.parameters])
        drawn = np.where(ordered, moved, np.where(anew, fresh, rows))
        drawn = np.where(np.isnan(rows), fresh, drawn)
        return self._space.admitted(self._space.snap(drawn))

    def score(self, rows: Rows) -> Vector:
        """Log density ratio of the better trials to the others, shape (n,)."""
        return self._log_density(rows, self._good) - self._log_density(rows, self._rest)

    def _log_density(self, rows: Rows, centres: Rows) -> Vector:
        width = _width(centres)
        exponent = np.zeros((len(rows), len(centres)))
        for parameter, at, centre in zip(self._space.parameters, rows.T, centres.T, strict=True):
            gap = at[:, None] - centre[None, :]  # NaN where inactive in either: says nothing
            if parameter.ordered:
                near = max(width, 0.5 / parameter.levels) if parameter.levels else width
                part = -0.5 * (gap / near) ** 2 - np.log(near * np.sqrt(2 * np.pi))
            else:
                levels = parameter.levels or 1
                other = 1.0 - _STAY
                part = np.log(np.where(np.abs(gap) < 1e-9, _STAY * levels + other, other))
            exponent += np.nan_to_num(part, nan=0.0)
        total = 1.0 + np.sum(np.exp(exponent), axis=1)
        return np.asarray(np.log(total / (1 + len(centres))))


def _width(centres: Rows) -> float:
    return float(_WIDTH * max(len(centres), 1) ** (-1.0 / (centres.shape[1] + 4)))
