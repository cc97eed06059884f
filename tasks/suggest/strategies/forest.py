"""Strategy `forest`: a random-forest surrogate, for conditional spaces and thousands of trials.

As in SMAC (Hutter et al. 2011, doi:10.1007/978-3-642-25566-3_40), with the forest of
scikit-optimize and its deviation (law of total variance over trees, arXiv:1211.0906). Trees split
off inactive settings like any other value, and their cost hardly grows with the record. Within a
batch, a pick lowers the variance of candidates by the share of leaves that they have in common.
Every eighth pick is random: trees do not extrapolate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from skopt.learning import RandomForestRegressor

_FEWEST = 4
_TREES = 30
_MOST = 3_000
"""Results that a forest is fitted to: the best half of them, and the latest."""
_POOL = 1_200
_NEAR = 600
_CENTRES = 10
_RANDOM = 8
_NOISE = 0.01
"""Least variance of a leaf, in units of the standardised losses."""


@dataclass(frozen=True)
class Table:
    """The candidates of one step and their predictions."""

    rows: Rows
    mean: Vector
    variance: Vector
    leaves: NDArray[np.int64]
    """(candidates, trees): the leaf that each lies in."""
    bonus: Vector
    """Log weight of feasibility."""
    best: float
    """The least predicted loss of a tried configuration: an incumbent free of lucky noise."""


def choose(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """The initial design, then the maxima of expected improvement under the forest."""
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
    """Candidates near the best and everywhere, by a forest with fantasies at pending points."""
    losses = problem.losses(observations)
    levels = standardised(np.array([losses[observations[i].number] for i in scored]))
    kept = _kept(levels)
    points, levels = rows[scored][kept], levels[kept]
    seed = int(generator.integers(2**31))
    forest = _fitted_forest(columns(problem.space, points), levels, seed)
    if len(pending := problem.pending_rows()):
        expected = forest.predict(columns(problem.space, pending))
        points, levels = np.vstack([points, pending]), np.concatenate([levels, expected])
        forest = _fitted_forest(columns(problem.space, points), levels, seed)
    centres = points[np.argsort(levels, kind="stable")[:_CENTRES]]
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
        float(forest.predict(columns(problem.space, points)).min()),
    )


def _kept(levels: Vector) -> NDArray[np.int64]:
    if len(levels) <= _MOST:
        return np.arange(len(levels))
    best = np.argsort(levels, kind="stable")[: _MOST // 2]
    latest = np.arange(len(levels))[-_MOST // 2 :]
    return np.unique(np.concatenate([best, latest]))


def columns(space: Space, rows: Rows) -> NDArray[np.float32]:
    """Input of the trees: positions, -1 where inactive; one-hot columns for a category."""
    encoded = []
    for column, parameter in zip(rows.T, space.parameters, strict=True):
        if parameter.ordered or (parameter.levels or 0) <= 2:
            encoded.append(np.nan_to_num(column, nan=-1.0)[:, None])
        else:
            levels = parameter.levels or 1
            label = np.where(np.isnan(column), -1, np.floor(np.nan_to_num(column) * levels))
            encoded.append(label[:, None] == np.arange(levels)[None, :])
    return np.hstack(encoded).astype(np.float32)


def _fitted_forest(table: NDArray[np.float32], levels: Vector, seed: int) -> RandomForestRegressor:
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
    """Log weight of feasibility: twice the log probability of not failing, shape (n,)."""
    from sklearn.ensemble import RandomForestClassifier

    known = [i for i, o in enumerate(observations) if o.scored or o.infeasible]
    feasible = np.array([observations[i].scored for i in known])
    if feasible.all():
        return np.zeros(len(at))
    forest = RandomForestClassifier(_TREES, n_jobs=1, random_state=seed)
    forest.fit(columns(problem.space, rows[known]), feasible)
    probability = forest.predict_proba(at)[:, list(forest.classes_).index(True)]
    return np.asarray(2.0 * np.log(np.clip(probability, 0.02, 1.0)))


def _chosen(
    problem: Problem,
    table: Table,
    number: int,
    count: int,
    tried: set[str],
    generator: np.random.Generator,
) -> Picked:
    """Sequential picks, each fantasised; a shorter list where the space is exhausted."""
    picked: Picked = []
    variance = table.variance.copy()
    for index in range(number, number + count):
        values, place = None, None
        if index % _RANDOM != _RANDOM - 1:
            values, place = _promising(problem.space, table, variance, tried)
        origin: Origin = "model"
        if values is None:
            values, origin = untried(problem.space, tried, generator), "random"
        if values is None:
            break
        if place is not None:
            shared = np.mean(table.leaves == table.leaves[place], axis=1)
            variance = np.maximum(variance * (1.0 - shared), 1e-6)
        tried.add(problem.space.key(values))
        picked.append((values, origin))
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
