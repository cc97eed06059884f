"""Transfer from earlier studies: warm start, and a surrogate of their ranks.

Objectives of two studies have different units and data, so only a trial's rank within its own study
is used, and only the settings that both search. Every other point of the initial design is one of
the best earlier trials. Then the surrogate of ranks is added to the log acquisition, with a weight
that follows its rank correlation with the results so far and decays as they grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from conf.runtime.errors import BadInput
from conf.schema.search import Scalar
from tasks.suggest.problem import Problem
from tasks.suggest.space.space import Space
from tasks.suggest.surrogate.gp import GaussianProcess, condition, fit
from tasks.suggest.surrogate.kernel import Features, features
from tasks.suggest.surrogate.model import chosen_points
from tasks.suggest.types import EarlierTrial, Rows, Vector

_MOST = 200
_TRUST, _TRUST_TRIALS = 0.5, 3.0
"""Prior agreement, and the number of trials that it counts as."""
_WEIGHT, _FADE = 2.0, 20.0
"""Log acquisition per standard deviation of rank, and the number of trials that halve it."""


@dataclass(frozen=True)
class Transfer:
    """The surrogate of earlier ranks at one step."""

    part: Space
    """The settings that both studies search, without conditions."""
    columns: list[int]
    """Their columns in the rows of the whole space."""
    process: GaussianProcess
    weight: float
    """0 where the results so far contradict it."""

    def expected(self, rows: Rows) -> Vector:
        """Expected rank as a normal deviate, shape (n,): the lower the better."""
        return self.process.predict(self._features(rows))[0]

    def log_weight(self, rows: Rows) -> Vector:
        """Log weight, shape (n,): higher where earlier trials ranked well."""
        return -self.weight * self.expected(rows)

    def _features(self, rows: Rows) -> Features:
        return features(self.part, rows[:, self.columns])


def transfer(problem: Problem, rows: Rows, losses: Vector) -> Transfer | None:
    """The surrogate of earlier ranks, or None without earlier trials.

    `rows`, (n, d), and `losses`, (n,), are this study's own results: they set its weight.
    """
    earlier = problem.settings.earlier
    if not earlier:
        return None
    keys = {key for one in earlier for key in one.values}
    columns = [i for i, p in enumerate(problem.space.parameters) if p.key in keys]
    part = _part(problem.space, columns)
    points, levels = _earlier_ranks(part, earlier, problem.generator)
    process = condition(fit(points, levels), points, levels)
    model = Transfer(part, columns, process, 0.0)
    trust = _agreement(model.expected(rows), losses)
    return replace(model, weight=_WEIGHT * trust * _FADE / (_FADE + len(losses)))


def _part(space: Space, columns: list[int]) -> Space:
    """The space of the shared settings, without their conditions."""
    described = {
        space.parameters[i].key: space.description[space.parameters[i].key] for i in columns
    }
    return Space({key: {**given, "when": None} for key, given in described.items()})


def _earlier_ranks(
    part: Space, earlier: Sequence[EarlierTrial], generator: np.random.Generator
) -> tuple[Features, Vector]:
    rows = np.full((len(earlier), len(part)), np.nan)
    for row, one in zip(rows, earlier, strict=True):
        for i, parameter in enumerate(part.parameters):
            if parameter.key in one.values:
                row[i] = parameter.position(one.values[parameter.key])
    levels = ndtri(np.clip([one.rank for one in earlier], 0.01, 0.99))
    kept = chosen_points(levels, _MOST, generator)
    return features(part, rows[kept]), levels[kept]


def _agreement(expected: Vector, losses: Vector) -> float:
    """Rank correlation with the results so far, shrunk towards the prior; clipped to [0, 1]."""
    count, correlation = len(losses), 0.0
    if count > 1:
        one, other = _ranks(expected), _ranks(losses)
        spread = float(np.std(one) * np.std(other))
        together = float(np.mean((one - one.mean()) * (other - other.mean())))
        correlation = together / spread if spread > 0 else 0.0
    shrunk = (_TRUST * _TRUST_TRIALS + correlation * count) / (_TRUST_TRIALS + count)
    return float(np.clip(shrunk, 0.0, 1.0))


def _ranks(values: Vector) -> Vector:
    """Ranks, those of equal values their mean."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2.0)[place]


def warm_start_points(problem: Problem) -> list[dict[str, Scalar]]:
    """Earlier trials as configurations of this space: best first, round robin over studies.

    Settings that they lack are those of trial 0.
    """
    queues: dict[str, list[EarlierTrial]] = {}
    for one in sorted(problem.settings.earlier, key=lambda one: (one.rank, sorted(one.values))):
        queues.setdefault(one.study, []).append(one)
    turns = [
        (place, study, one) for study, queue in queues.items() for place, one in enumerate(queue)
    ]
    points = []
    for _, _, one in sorted(turns, key=lambda turn: (turn[0], turn[1])):
        try:
            points.append(problem.space.complete(one.values, problem.start))
        except BadInput:
            continue  # it violates a constraint of this study
    return points
