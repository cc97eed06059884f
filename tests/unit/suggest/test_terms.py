"""What the search goes by beside the objective: cost, and what earlier studies found."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from tasks.suggest import Observation, Optimizer, Settings
from tasks.suggest.problem import Problem
from tasks.suggest.space.space import Space
from tasks.suggest.surrogate.cost import FEWEST, cost_model
from tasks.suggest.surrogate.transfer import transfer, warm_start_points
from tasks.suggest.types import EarlierTrial
from tests.unit.suggest.results import proposed

SPACE = {
    "m.x": {"low": 0.0, "high": 1.0},
    "m.y": {"low": 0.0, "high": 1.0},
    "m.size": {"low": 1, "high": 100, "type": "int", "scale": "log"},
}


def loss(values: dict) -> float:
    """The size does nothing but cost time."""
    return float((values["m.x"] - 0.7) ** 2 + (values["m.y"] - 0.2) ** 2)


def searched(rounds: int, settings: Settings, seed: int, space: dict = SPACE) -> Optimizer:
    """An optimizer after some rounds of four."""
    optimizer = Optimizer(space, seed=seed, settings=settings)
    for _ in range(rounds):
        for suggestion in optimizer.ask(4):
            seconds = float(suggestion.values.get("m.size", 1))
            optimizer.tell(suggestion.number, loss(suggestion.values), seconds=seconds)
    return optimizer


def spent(optimizer: Optimizer) -> float:
    return sum(o.seconds or 0.0 for o in optimizer.observations[12:])


def best(optimizer: Optimizer) -> float:
    return min(o.value for o in optimizer.observations if o.value is not None)


def test_a_cost_aware_search_finds_as_much_for_less() -> None:
    plain = [searched(8, Settings(), seed) for seed in range(3)]
    frugal = [searched(8, Settings(cost_aware=True), seed) for seed in range(3)]
    assert sum(map(spent, frugal)) < 0.4 * sum(map(spent, plain))
    assert max(map(best, frugal)) < 0.01


def problem_of(told: list[Observation], settings: Settings, space: dict = SPACE) -> Problem:
    return Problem.of(space, first=len(told), observations=told, settings=settings)


def drawn(count: int, seed: int = 0) -> list[dict]:
    space = Space(SPACE)
    rows = space.snap(np.random.default_rng(seed).random((count, len(space))))
    return [space.decode(row) for row in rows]


def test_the_cost_is_learned_and_the_forecast_goes_by_it() -> None:
    told = [Observation(n, v, loss(v), seconds=2.0 * v["m.size"]) for n, v in enumerate(drawn(20))]
    problem = problem_of(told, Settings(cost_aware=True))
    observations, rows = problem.encoded()
    model = cost_model(problem, observations, rows)
    assert model is not None
    at = [{"m.x": 0.5, "m.y": 0.5, "m.size": size} for size in (3, 30)]
    expected = model.log_seconds(np.array([problem.space.encode(values) for values in at]))
    assert np.exp(expected) == pytest.approx([6.0, 60.0], rel=0.25)
    proposal = proposed(
        SPACE, first=20, count=2, observations=told, settings=Settings(cost_aware=True)
    )
    sizes = [suggestion.values["m.size"] for suggestion in proposal.suggestions]
    assert proposal.forecast is not None
    assert proposal.forecast.seconds == pytest.approx(2.0 * sum(sizes), rel=0.5)


def test_without_times_a_cost_aware_search_is_a_plain_one() -> None:
    told = [Observation(n, v, loss(v)) for n, v in enumerate(drawn(12))]
    few = [replace(o, seconds=3.0) if o.number < FEWEST - 1 else o for o in told]
    cut = [replace(o, seconds=3.0, outcome="stopped") for o in told]
    same = {"first": 12, "count": 3}
    for given in (told, few, cut):
        plain = proposed(SPACE, observations=given, **same)
        aware = proposed(SPACE, observations=given, settings=Settings(cost_aware=True), **same)
        assert aware.suggestions == plain.suggestions


def earlier_of(rank_by: object, count: int = 40) -> tuple[EarlierTrial, ...]:
    """Trials of an earlier study, in the order of what it thought good."""
    values = sorted(drawn(count, seed=9), key=rank_by)  # type: ignore[call-overload]
    return tuple(
        EarlierTrial("before", {"m.x": v["m.x"], "m.y": v["m.y"]}, (place + 0.5) / count)
        for place, v in enumerate(values)
    )


def stale(values: dict) -> float:
    """What was good is bad now."""
    return -loss(values)


def test_transfer_from_a_similar_study_saves_trials() -> None:
    helped = [searched(3, Settings(earlier=earlier_of(loss)), seed) for seed in range(4)]
    alone = [searched(3, Settings(), seed) for seed in range(4)]
    assert np.mean([best(each) for each in helped]) < 0.6 * np.mean([best(each) for each in alone])


def test_a_stale_optimum_is_outweighed() -> None:
    misled = [searched(8, Settings(earlier=earlier_of(stale)), seed) for seed in range(3)]
    assert max(map(best, misled)) < 0.01
    values = drawn(12)
    losses = np.array([loss(v) for v in values])
    rows = np.array([Space(SPACE).encode(v) for v in values])
    for rank_by, least, most in ((loss, 0.5, 2.0), (stale, 0.0, 0.0)):
        found = transfer(problem_of([], Settings(earlier=earlier_of(rank_by))), rows, losses)
        assert found is not None and least <= found.weight <= most


def test_at_most_half_of_the_first_points_are_earlier_ones() -> None:
    settings = Settings(earlier=earlier_of(loss))
    known = [(e.values["m.x"], e.values["m.y"]) for e in settings.earlier]
    first = Optimizer(SPACE, settings=settings).ask(4)
    taken = [(s.values["m.x"], s.values["m.y"]) in known for s in first]
    assert sum(taken) == 2
    best_known = known[0]
    assert best_known in [(s.values["m.x"], s.values["m.y"]) for s in first]


def test_warm_starts_alternate_between_studies_and_satisfy_constraints() -> None:
    earlier = (
        EarlierTrial("a", {"m.x": 0.1}, 0.1),
        EarlierTrial("a", {"m.x": 0.2}, 0.2),
        EarlierTrial("b", {"m.x": 0.3}, 0.3),
        EarlierTrial("b", {"m.x": 0.9}, 0.05),
    )
    problem = problem_of([], Settings(earlier=earlier))
    assert [values["m.x"] for values in warm_start_points(problem)] == [0.1, 0.9, 0.2, 0.3]
    tight = replace(problem, space=Space(SPACE, ["m.x <= 0.5"]))
    assert [values["m.x"] for values in warm_start_points(tight)] == [0.1, 0.2, 0.3]


def test_settings_go_through_json() -> None:
    settings = Settings(cost_aware=True, earlier=earlier_of(loss, count=12))
    optimizer = searched(4, settings, seed=1)
    copy = Optimizer.from_json(json.loads(json.dumps(optimizer.to_json())))
    assert copy.ask(3) == optimizer.ask(3)
    assert math.isfinite(best(optimizer))
