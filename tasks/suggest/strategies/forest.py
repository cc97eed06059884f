"""Strategy `forest`: a random forest in place of the process, for strongly conditional spaces and
long records.

A tree splits off what is inactive like any other value, and its cost hardly grows with the record.
How far the trees differ is the uncertainty; what a pick shares leaves with, it teaches about, so
that much less is left to learn there. Every eighth pick is random: trees cannot see beyond what
was tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.schema.search import Scalar
from tasks.suggest.acquisition.candidates import near, pool
from tasks.suggest.acquisition.expected_improvement import log_expected_improvement
from tasks.suggest.problem import Choice, Picked, Problem
from tasks.suggest.space.initial_design import untried
from tasks.suggest.space.space import Space
from tasks.suggest.strategies.model_free import initial_points
from tasks.suggest.surrogate.output_transform import standardised
from tasks.suggest.types import Observation, Origin, Rows, Vector

_FEWEST = 4
_TREES = 30
_MOST = 3_000
"""Results that a forest grows from: the best half of them and the latest."""
_POOL = 1_200
_NEAR = 600
_CENTRES = 10
_RANDOM = 8
_NOISE = 0.01
"""Variance that is left where all trees agree, in units of the losses' spread."""


@dataclass(frozen=True)
class Table:
    """The candidates of one step, and what the forest says of them."""

    rows: Rows
    mean: Vector
    variance: Vector
    leaves: NDArray[np.int64]
    """(candidates, trees): the leaf that each lies in."""
    bonus: Vector
    """Logarithm of the chance that it does not fail."""
    best: float
    """The lowest expected loss of what was tried: luck apart."""


def choose(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """An even start, then what the forest finds promising."""
    observations, rows = problem.encoded()
    scored = [i for i, o in enumerate(observations) if o.scored]
    start = min(10, max(5, len(problem.space) + 1))
    known = len(scored) + len(problem.pending) + number - problem.first
    generator = problem.generator
    early = count if len(scored) < _FEWEST else max(0, min(count, start - known))
    picked = initial_points(problem, number, early, tried, generator)
    if len(picked) < count and early < count:
        table = _table(problem, observations, rows, scored, generator)
        picked += _chosen(problem, table, number + early, count - early, tried, generator)
    return Choice(picked, {})


def _table(
    problem: Problem,
    observations: Sequence[Observation],
    rows: Rows,
    scored: list[int],
    generator: np.random.Generator,
) -> Table:
    """Candidates near the best and everywhere, judged by a forest that believes the pending."""
    losses = problem.losses(observations)
    levels = standardised(np.array([losses[observations[i].number] for i in scored]))
    kept = _kept(levels)
    told, levels = rows[scored][kept], levels[kept]
    seed = int(generator.integers(2**31))
    forest = _grown(columns(problem.space, told), levels, seed)
    if len(believed := problem.pending_rows()):
        expected = forest.predict(columns(problem.space, believed))
        told, levels = np.vstack([told, believed]), np.concatenate([levels, expected])
        forest = _grown(columns(problem.space, told), levels, seed)
    centres = told[np.argsort(levels, kind="stable")[:_CENTRES]]
    close = near(problem.space, centres, _NEAR, 0.1, generator)
    everywhere = pool(problem.space, centres, _POOL, generator)
    candidates = np.vstack([everywhere, problem.space.admitted(close)])
    at = columns(problem.space, candidates)
    mean, deviation = forest.predict(at, return_std=True)
    return Table(
        candidates,
        mean,
        deviation**2,
        np.asarray(forest.apply(at)),
        _log_feasible(problem, observations, rows, at, seed),
        float(forest.predict(columns(problem.space, told)).min()),
    )


def _kept(levels: Vector) -> NDArray[np.int64]:
    if len(levels) <= _MOST:
        return np.arange(len(levels))
    best = np.argsort(levels, kind="stable")[: _MOST // 2]
    latest = np.arange(len(levels))[-_MOST // 2 :]
    return np.unique(np.concatenate([best, latest]))


def columns(space: Space, rows: Rows) -> NDArray[np.float32]:
    """What trees split on: positions, -1 where inactive; a category has a column for each value."""
    found = []
    for column, parameter in zip(rows.T, space.parameters, strict=True):
        if parameter.ordered or (parameter.levels or 0) <= 2:
            found.append(np.nan_to_num(column, nan=-1.0)[:, None])
        else:
            levels = parameter.levels or 1
            label = np.where(np.isnan(column), -1, np.floor(np.nan_to_num(column) * levels))
            found.append(label[:, None] == np.arange(levels)[None, :])
    return np.hstack(found).astype(np.float32)


def _grown(table: NDArray[np.float32], levels: Vector, seed: int) -> Any:
    from skopt.learning import RandomForestRegressor

    forest = RandomForestRegressor(
        _TREES,
        max_features=5 / 6,
        min_samples_leaf=1,
        min_variance=_NOISE,
        n_jobs=1,
        random_state=seed,
    )
    return forest.fit(table, levels)


def _log_feasible(
    problem: Problem,
    observations: Sequence[Observation],
    rows: Rows,
    at: NDArray[np.float32],
    seed: int,
) -> Vector:
    """Twice the logarithm of the chance not to fail, since a failure shows nothing of the loss."""
    from sklearn.ensemble import RandomForestClassifier

    told = [i for i, o in enumerate(observations) if o.scored or o.infeasible]
    fine = np.array([observations[i].scored for i in told])
    if fine.all():
        return np.zeros(len(at))
    forest = RandomForestClassifier(_TREES, n_jobs=1, random_state=seed)
    forest.fit(columns(problem.space, rows[told]), fine)
    chance = forest.predict_proba(at)[:, list(forest.classes_).index(True)]
    return np.asarray(2.0 * np.log(np.clip(chance, 0.02, 1.0)))


def _chosen(
    problem: Problem,
    table: Table,
    number: int,
    count: int,
    tried: set[str],
    generator: np.random.Generator,
) -> Picked:
    """Picks one after the other, each believed; a shorter list where the space is exhausted."""
    picked: Picked = []
    variance = table.variance.copy()
    for index in range(number, number + count):
        found, place = None, None
        if index % _RANDOM != _RANDOM - 1:
            found, place = _promising(problem.space, table, variance, tried)
        origin: Origin = "model"
        if found is None:
            found, origin = untried(problem.space, tried, generator), "random"
        if found is None:
            break
        if place is not None:
            shared = np.mean(table.leaves == table.leaves[place], axis=1)
            variance = np.maximum(variance * (1.0 - shared), 1e-6)
        tried.add(problem.space.key(found))
        picked.append((found, origin))
    return picked


def _promising(
    space: Space, table: Table, variance: Vector, tried: set[str]
) -> tuple[dict[str, Scalar] | None, int | None]:
    """The untried candidate of the greatest expected improvement, and its place in the table."""
    promise = log_expected_improvement(table.mean, variance, table.best) + table.bonus
    for place in np.argsort(-promise, kind="stable"):
        values = space.decode(table.rows[place])
        if space.key(values) not in tried:
            return values, int(place)
    return None, None
