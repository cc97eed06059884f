"""Strategy `bayes`: Bayesian optimisation with one surrogate fit a batch.

Gaussian process with input warping and output transform (HEBO, arXiv:2012.03826), log expected
improvement over the whole space and in a trust region (TuRBO, arXiv:1910.01739), and half of the
picks by the Parzen density ratio. Picks of a batch are conditioned on fantasies of those before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from threadpoolctl import threadpool_limits

from tasks.suggest.acquisition.batch import Pick, Picker
from tasks.suggest.acquisition.expected_gain import forecast
from tasks.suggest.acquisition.expected_improvement import LogWeight, summed
from tasks.suggest.acquisition.trust_region import Region, settle_local_picks
from tasks.suggest.problem import Choice, Picked, Problem
from tasks.suggest.space.initial_design import spread, untried
from tasks.suggest.surrogate.cost import Cost, cost_model
from tasks.suggest.surrogate.kernel import features
from tasks.suggest.surrogate.model import surrogate
from tasks.suggest.surrogate.parzen import Parzen
from tasks.suggest.surrogate.transfer import transfer, warm_start_points
from tasks.suggest.types import (
    DEFAULT_OPTIONS,
    BayesOptions,
    Observation,
    Origin,
    Rows,
    StrategyState,
    Vector,
)

_FEWEST = 3
"""With fewer scored trials no surrogate is fitted."""
_FORECAST_POINTS = 200
_BY_DENSITY = 0.5
"""Probability that a pick is made by density; drawn, so that its place in a batch varies."""
OPTIONS = DEFAULT_OPTIONS


def choose(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """`count` configurations: the initial design first, then the maxima of the acquisition."""
    observations, rows = problem.encoded()
    scored = sum(observation.scored for observation in observations)
    known = scored + len(problem.pending) + (number - problem.first)
    wanted = initial_count(problem, OPTIONS)
    early = count if scored < _FEWEST else max(0, min(count, wanted - known))
    picked = _initial(problem, number, early, tried)
    if count == early:
        return Choice(picked, dict(problem.state))
    with threadpool_limits(1):  # the order of sums, and so the last bit, depends on the threads
        modelled = _modelled(
            problem, observations, rows, number + early, count - early, tried, OPTIONS
        )
    return Choice(picked + modelled.picked, modelled.state, modelled.forecast)


def initial_count(problem: Problem, options: BayesOptions) -> int:
    """Points of the initial design, trial 0 included."""
    return options.initial or min(10, max(5, len(problem.space) + 1))


def _initial(problem: Problem, number: int, count: int, tried: set[str]) -> Picked:
    """The initial design: a low-discrepancy sequence, and warm-start points of earlier studies."""
    picked: Picked = []
    known = warm_start_points(problem)
    for index in range(number, number + count):
        row = spread(problem.space, index, problem.seed)
        values = problem.space.decode(row)
        if index % 2:  # every other point is a warm start
            fresh = (each for each in known if problem.space.key(each) not in tried)
            values = next(fresh, values)
        if problem.space.key(values) in tried or not problem.space.allowed(values):
            other = untried(problem.space, tried, problem.generator)
            if other is None:
                break
            values = other
        tried.add(problem.space.key(values))
        picked.append((values, "initial"))
    return picked


def _modelled(
    problem: Problem,
    observations: Sequence[Observation],
    rows: Rows,
    number: int,
    count: int,
    tried: set[str],
    options: BayesOptions,
) -> Choice:
    losses = problem.losses(observations)
    vector = np.array([losses[o.number] for o in observations if o.scored])
    model, hyper_parameters = surrogate(problem, observations, rows, vector, options)
    changes, awaited = settle_local_picks(
        cast(dict[str, float], problem.state.get("awaited", {})),
        observations,
        losses,
        float(np.median(vector) - np.min(vector)),
    )
    region = Region.of(problem.state).after(changes, patience=max(4, len(problem.space)))
    generator = problem.generator
    scored = np.array([observation.scored for observation in observations])
    failed = np.array([observation.infeasible for observation in observations])
    pending = problem.pending_rows()
    log_weight, cost = _log_weights(problem, observations, rows, vector)
    picker = Picker(
        problem.space,
        model,
        Parzen(problem.space, rows[scored], vector, np.vstack([rows[failed], pending])),
        region.side,
        tried,
        np.vstack([rows, pending]),
        generator,
        log_weight,
    )
    picks: list[Pick] = []
    for turn in range(number, number + count):
        pick = picker.pick(_origin(turn, options, generator))
        if pick is None:
            break
        if pick.origin == "local":
            awaited[str(turn)] = float(np.min(vector))
        picks.append(pick)
    state: StrategyState = {
        **hyper_parameters,
        "awaited": awaited,
        "region": region.state(),
        **({} if cost is None else {"cost": cost.theta}),
    }
    picked: Picked = [(pick.values, pick.origin) for pick in picks]
    rows_picked = np.array([pick.row for pick in picks]).reshape(len(picks), len(problem.space))
    if not picks:
        return Choice([], state)
    expected = forecast(
        model,
        features(problem.space, rows_picked),
        picker.promising(_FORECAST_POINTS),
        observations,
        generator,
    )
    if problem.settings.also:  # a gain of the scalarised objectives has no unit
        return Choice(picked, state)
    if cost is not None:
        expected = replace(expected, seconds=cost.seconds(rows_picked))
    return Choice(picked, state, expected)


def _log_weights(
    problem: Problem, observations: Sequence[Observation], rows: Rows, losses: Vector
) -> tuple[LogWeight, Cost | None]:
    """Log weights of the acquisition (cost, transfer), and the cost model if it is on."""
    cost = cost_model(problem, observations, rows) if problem.settings.cost_aware else None
    scored = np.array([observation.scored for observation in observations])
    earlier = transfer(problem, rows[scored], losses)
    return summed([each.log_weight for each in (cost, earlier) if each is not None]), cost


def _origin(turn: int, options: BayesOptions, generator: np.random.Generator) -> Origin:
    """How trial number `turn` is picked: by density or, in turns, anywhere or in the region."""
    if options.density and generator.random() < _BY_DENSITY:
        return "density"
    return "local" if options.region and turn % 2 else "model"
