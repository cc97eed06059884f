"""Strategy `bayes`: one model fit a batch, then each pick conditioned on the picks before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tasks.suggest.bandit import Bandit
from tasks.suggest.batch import Pick, Picker
from tasks.suggest.cost import Cost, cost_model
from tasks.suggest.forecast import forecast
from tasks.suggest.kernel import features
from tasks.suggest.lean import Lean, together
from tasks.suggest.options import DEFAULTS, Options
from tasks.suggest.points import spread, untried
from tasks.suggest.problem import Choice, Picked, Problem
from tasks.suggest.records import Observation, Origin
from tasks.suggest.region import Region
from tasks.suggest.space import Rows
from tasks.suggest.surrogate import surrogate
from tasks.suggest.transfer import seeds, transfer

Vector = NDArray[np.float64]
_FEWEST = 3
"""Scored trials without which there is nothing to model."""
_FORECAST_POINTS = 200
_PLATEAU = 4
"""Trials that share the best loss: more would only map the plateau that they lie on."""
_PER_SECOND = ("ei", "pi")
"""The acquisitions that mean something a second: those in logarithms."""
OPTIONS = DEFAULTS


def choose(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """`count` configurations: the initial design first, then what the model finds promising."""
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


def initial_count(problem: Problem, options: Options) -> int:
    """Points of the initial design, trial 0 included."""
    return options.initial or min(10, max(5, len(problem.space) + 1))


def _initial(problem: Problem, number: int, count: int, tried: set[str]) -> Picked:
    """Points of an even sequence, so that the first ones cover the space."""
    picked: Picked = []
    known = seeds(problem)
    for index in range(number, number + count):
        row = spread(problem.space, index, problem.seed)
        values = problem.space.decode(row)
        if index % 2:  # every other point trusts what was good elsewhere
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
    options: Options,
) -> Choice:
    losses = problem.losses(observations)
    vector = np.array([losses[o.number] for o in observations if o.scored])
    model, state = surrogate(problem, observations, rows, vector, options)
    spread = float(np.median(vector) - np.min(vector))
    bandit = Bandit(problem.state.get("bandit"))
    bandit.credit(observations, losses, spread)
    local = [change for origin, change in bandit.settled if origin == "local"]
    region = Region.of(problem.state).after(local, patience=max(4, len(problem.space)))
    flat = np.sum(vector == np.min(vector)) >= _PLATEAU
    generator = problem.generator
    known = np.vstack([rows, problem.pending_rows()])
    lean, cost = _leaning(problem, observations, rows, vector)
    if cost is not None:
        options = replace(options, arms=_PER_SECOND)
    picker = Picker(problem.space, model, region.side, tried, known, generator, lean)
    picks: list[Pick] = []
    for index, arm in enumerate(_arms(bandit, count, generator, number, options)):
        pick = picker.pick(arm, _origin(number + index, flat, options))
        if pick is None:
            break
        bandit.opened(number + index, arm, pick.origin, float(np.min(vector)))
        picks.append(pick)
    state |= {"bandit": bandit.state(), "region": region.state()}
    state |= {} if cost is None else {"cost": cost.theta}
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
    if problem.settings.also:  # of several objectives made one nobody knows what a gain is worth
        return Choice(picked, state)
    if cost is not None:
        expected = replace(expected, seconds=cost.seconds(rows_picked))
    return Choice(picked, state, expected)


def _leaning(
    problem: Problem, observations: Sequence[Observation], rows: Rows, losses: Vector
) -> tuple[Lean, Cost | None]:
    """What the acquisition leans on beside the loss, and the cost model where it is one of it."""
    cost = cost_model(problem, observations, rows) if problem.settings.cost_aware else None
    scored = np.array([observation.scored for observation in observations])
    earlier = transfer(problem, rows[scored], losses)
    return together([each.lean for each in (cost, earlier) if each is not None]), cost


def _origin(number: int, flat: bool, options: Options) -> Origin:
    """Every other pick is local; where the best is a plateau, it is random instead."""
    if flat and options.plateau and number % 2:
        return "random"
    return "local" if options.region and number % 2 else "model"


def _arms(
    bandit: Bandit, count: int, generator: np.random.Generator, number: int, options: Options
) -> list[str]:
    """Who picks: arms in proportion to their shares, in random order."""
    if not options.bandit:
        return [options.arms[((number + i) // 2) % len(options.arms)] for i in range(count)]
    ticks = (np.arange(count) + generator.random()) / count
    chosen = np.searchsorted(np.cumsum(bandit.shares(options.arms)), ticks)
    last = len(options.arms) - 1
    return [options.arms[min(int(arm), last)] for arm in generator.permutation(chosen)]
