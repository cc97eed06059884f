"""Batch selection: sequential picks, each conditioned on the fantasies of the picks before it.

The fantasy of a pending point is the posterior mean there (the kriging believer of Ginsbourger et
al. 2010, doi:10.1007/978-3-642-10701-6_6). Hyper-parameters stay as they were fitted: a batch costs
one fit, not one a pick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conf.runtime.types import Floats
from conf.schema.search import Scalar
from tasks.suggest.acquisition.candidates import climb, near, pool
from tasks.suggest.acquisition.expected_improvement import (
    LogWeight,
    log_expected_improvement,
    no_log_weight,
)
from tasks.suggest.space.initial_design import untried
from tasks.suggest.space.space import Space
from tasks.suggest.space.user_priors import log_user_prior
from tasks.suggest.surrogate.gp import GaussianProcess
from tasks.suggest.surrogate.kernel import Features, features
from tasks.suggest.surrogate.model import Surrogate
from tasks.suggest.surrogate.parzen import Parzen
from tasks.suggest.surrogate.posterior_table import PosteriorTable
from tasks.suggest.types import Origin, Rows, Vector

_POOL = 1024
_LOCAL = 512
_DRAWN = 32
_STARTS = 6
_CENTRES = 5
_SAME = 1e-3
"""Rows closer than this in every position count as repeats of each other."""


@dataclass(frozen=True)
class Pick:
    """One configuration, how it was picked, and its row."""

    values: dict[str, Scalar]
    origin: Origin
    row: Floats


class Picker:
    """Picks one configuration after the other, each fantasised at its posterior mean."""

    def __init__(
        self,
        space: Space,
        model: Surrogate,
        parzen: Parzen,
        side: float,
        tried: set[str],
        known: Rows,
        generator: np.random.Generator,
        log_weight: LogWeight = no_log_weight,
    ) -> None:
        self._space, self._model, self._parzen, self._side = space, model, parzen, side
        self._log_weight = log_weight
        self._tried, self._generator = tried, generator
        self._gp: GaussianProcess = model.loss
        self._best = model.best
        everywhere = pool(space, model.incumbents[:_CENTRES], _POOL, generator)
        scale = side * generator.random(_LOCAL) ** 0.5 / 2.0
        close = space.admitted(near(space, model.incumbents[:1], _LOCAL, scale, generator))
        self._rows = np.vstack([everywhere, close])
        self._local = np.arange(len(self._rows)) >= len(everywhere)
        self._table = features(space, self._rows)
        self._field = PosteriorTable(self._gp, self._table)
        self._known = [np.nan_to_num(known, nan=-1.0)]
        self._results = len(model.raw)
        self._bonus = self._added(self._rows)

    def pick(self, origin: Origin) -> Pick | None:
        """An untried configuration, or None where the space is exhausted.

        Origin `model` maximises expected improvement over the whole space, `local` inside the trust
        region around the incumbent, `density` the ratio of Parzen densities over a few draws.
        """
        choice = self._densest() if origin == "density" else self._best_improvement(origin)
        if choice is None:
            return None
        values, row = choice
        self._tried.add(self._space.key(values))
        self._known.append(np.nan_to_num(row[None, :], nan=-1.0))
        at = features(self._space, row[None, :])
        self._best = min(self._best, float(self._gp.predict(at)[0][0]))
        self._field.condition_on_mean(self._gp, at)
        self._gp = self._gp.condition_on_mean(at)
        self._parzen.add_other(row)
        return Pick(values, origin, row)

    def promising(self, count: int) -> Features:
        """The `count` points of the table with the least lower confidence bound of the loss."""
        bound = self._field.mean - 2.0 * np.sqrt(self._field.variance)
        return self._table.take(np.argsort(bound, kind="stable")[:count])

    def _best_improvement(self, origin: Origin) -> tuple[dict[str, Scalar], Floats] | None:
        def score(rows: Rows) -> Vector:
            at = features(self._space, rows)
            mean, variance = self._gp.predict(at)
            promise = log_expected_improvement(mean, variance, self._best) + self._added(rows)
            return np.where(self._allowed(rows), promise, -np.inf)

        mean, variance = self._field.mean, self._field.variance
        promise = log_expected_improvement(mean, variance, self._best) + self._bonus
        eligible = np.flatnonzero(self._local) if origin == "local" else np.arange(len(self._rows))
        order = eligible[np.argsort(-promise[eligible], kind="stable")]
        scale = self._side / 4.0 if origin == "local" else 0.1
        starts = self._rows[order[:_STARTS]]
        climbed = climb(self._space, starts, score, self._generator, scale=scale)
        climbed = climbed[np.argsort(-score(climbed), kind="stable")]
        return self._first_untried(np.vstack([climbed, self._rows[order]]))

    def _densest(self) -> tuple[dict[str, Scalar], Floats] | None:
        rows = self._parzen.draw(_DRAWN, self._generator)
        score = self._parzen.score(rows) + self._outside(rows)
        return self._first_untried(rows[np.argsort(-score, kind="stable")])

    def _added(self, rows: Rows) -> Vector:
        """Log weights of a row: user priors (piBO), feasibility, cost and transfer."""
        return self._outside(rows) + log_user_prior(self._space.user_priors, rows, self._results)

    def _outside(self, rows: Rows) -> Vector:
        """Log weights of feasibility, cost and transfer."""
        feasible = self._model.log_feasible(features(self._space, rows))
        return np.asarray(feasible + self._log_weight(rows))

    def _allowed(self, rows: Rows) -> NDArray[np.bool_]:
        if not self._space.constraints:
            return np.ones(len(rows), dtype=bool)
        return np.array([self._space.allowed(self._space.decode(row)) for row in rows])

    def _first_untried(self, rows: Rows) -> tuple[dict[str, Scalar], Floats] | None:
        known = np.vstack(self._known)
        for row in rows:
            gaps = np.max(np.abs(known - np.nan_to_num(row, nan=-1.0)), axis=1)
            values = self._space.decode(row)
            if gaps.min() > _SAME and self._space.key(values) not in self._tried:
                return values, row
        return self._drawn()

    def _drawn(self) -> tuple[dict[str, Scalar], Floats] | None:
        other = untried(self._space, self._tried, self._generator)
        return None if other is None else (other, self._space.encode(other))
