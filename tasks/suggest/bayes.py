"""Strategy `bayes`: one model fit a batch, then each pick conditioned on the picks before it."""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from conf.search import Scalar
from tasks.suggest import acquisition
from tasks.suggest.candidates import climb, perturbed, pool
from tasks.suggest.gp import Gp, condition, fit
from tasks.suggest.kernel import features
from tasks.suggest.points import sobol, untried
from tasks.suggest.problem import Problem
from tasks.suggest.records import Observation, Origin
from tasks.suggest.space import Rows
from tasks.suggest.transform import standardised

Picked = list[tuple[dict[str, Scalar], Origin]]
_POOL = 1024
_STARTS = 8


def choose(
    problem: Problem, number: int, count: int, tried: set[str]
) -> tuple[Picked, dict[str, Any]]:
    """`count` configurations: the initial design first, then what the model finds promising."""
    observations, rows = problem.encoded()
    scored = [i for i, observation in enumerate(observations) if observation.scored]
    known = len(scored) + len(problem.pending)
    early = count if len(scored) < 3 else max(0, min(count, initial_count(problem) - known))
    picked = _initial(problem, number, early, tried)
    if count == early:
        return picked, dict(problem.state)
    with threadpool_limits(1):  # the order of sums, and so the last bit, depends on the threads
        chosen, state = _modelled(
            problem, [observations[i] for i in scored], rows[scored], count - early, tried
        )
    return picked + chosen, state


def initial_count(problem: Problem) -> int:
    """Points of the initial design, trial 0 included."""
    return min(10, max(5, len(problem.space) + 1))


def _initial(problem: Problem, number: int, count: int, tried: set[str]) -> Picked:
    picked: Picked = []
    for index in range(number, number + count):
        values: dict[str, Scalar] | None = problem.space.decode(
            sobol(problem.space, index, problem.seed)[0]
        )
        if values is None or problem.space.key(values) in tried:
            values = untried(problem.space, tried, problem.generator)
        if values is None:
            break
        tried.add(problem.space.key(values))
        picked.append((values, "initial"))
    return picked


def _modelled(
    problem: Problem, observations: list[Observation], rows: Rows, count: int, tried: set[str]
) -> tuple[Picked, dict[str, Any]]:
    space, generator = problem.space, problem.generator
    losses = standardised(
        np.array([problem.loss(o.value) for o in observations if o.value is not None])
    )
    points = features(space, rows)
    start = np.array(problem.state["theta"]) if "theta" in problem.state else None
    theta = fit(points, losses, start=start)
    model = condition(theta, points, losses).believe(features(space, problem.pending_rows()))
    expected = model.predict(points)[0]
    order = np.argsort(expected, kind="stable")
    best = float(expected[order[0]])
    centres = rows[order[:5]]
    picked: Picked = []
    for turn in range(count):
        origin: Origin = "model" if turn % 2 == 0 else "local"
        found = _pick(problem, model, best, centres, origin, generator, tried)
        if found is None:
            break
        values, row = found
        tried.add(space.key(values))
        picked.append((values, origin))
        model = model.believe(features(space, row[None, :]))
    return picked, {"theta": [round(float(x), 6) for x in theta.vector]}


def _pick(
    problem: Problem,
    model: Gp,
    best: float,
    centres: Rows,
    origin: Origin,
    generator: np.random.Generator,
    tried: set[str],
) -> tuple[dict[str, Scalar], Any] | None:
    space = problem.space

    def score(rows: Rows) -> Any:
        mean, variance = model.predict(features(space, rows))
        return acquisition.log_expected_improvement(mean, variance, best)

    if origin == "local" and not (space.size is not None and space.size <= _POOL):
        table = perturbed(space, centres[:1], _POOL // 2, 0.1, generator)
    else:
        table = pool(space, centres, _POOL, generator)
    order = np.argsort(-score(table), kind="stable")
    climbed = climb(space, table[order[:_STARTS]], score, generator)
    ranked = np.vstack([climbed[np.argsort(-score(climbed), kind="stable")], table[order]])
    for row in ranked:
        values = space.decode(row)
        if space.key(values) not in tried:
            return values, row
    values_or_none = untried(space, tried, generator)
    return None if values_or_none is None else (values_or_none, space.encode(values_or_none))
