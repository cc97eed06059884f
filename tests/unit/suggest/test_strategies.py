"""What `evolution`, `forest`, `tpe` and `skopt` do beyond what every strategy promises."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from conf.runtime.errors import BadInput
from tasks.suggest import Observation, Optimizer, Settings
from tasks.suggest.space.space import Space
from tasks.suggest.strategies.evolution import Population
from tasks.suggest.strategies.forest import columns
from tasks.suggest.strategies.scikit_optimize import TIGHT_CONSTRAINTS, Coordinates
from tasks.suggest.types import SkoptOptions
from tests.unit.suggest.results import proposed

SPACE = {
    "m.x": {"low": 0.0, "high": 1.0},
    "m.y": {"low": 0.0, "high": 1.0},
    "m.z": {"low": 1e-4, "high": 1.0, "scale": "log"},
    "m.kind": {"choices": ["a", "b", "c"]},
}


def loss(values: dict) -> float:
    """Least at one corner of one category."""
    where = (values["m.x"] - 0.8) ** 2 + (values["m.y"] - 0.1) ** 2 + 0.1 * values["m.z"]
    return float(where + 0.2 * (values["m.kind"] != "b"))


def best_of(strategy: str, seed: int, rounds: int, size: int = 4) -> float:
    """The lowest loss found; a trial in ten fails."""
    optimizer = Optimizer(SPACE, strategy=strategy, seed=seed)
    for _ in range(rounds):
        for suggestion in optimizer.ask(size):
            if suggestion.number % 10 == 9:
                optimizer.tell(suggestion.number, outcome="failed", cause="oom")
            else:
                optimizer.tell(suggestion.number, loss(suggestion.values))
    return min(o.value for o in optimizer.observations if o.value is not None)


@pytest.mark.parametrize(
    ("strategy", "rounds"), [("evolution", 20), ("forest", 10), ("tpe", 12), ("skopt", 8)]
)
def test_it_beats_chance(strategy: str, rounds: int) -> None:
    seeds = range(2)
    found = sum(best_of(strategy, seed, rounds) for seed in seeds)
    assert found < 0.5 * sum(best_of("random", seed, rounds) for seed in seeds)


def test_a_forest_one_hot_encodes_categories_and_marks_inactive_settings() -> None:
    space = Space(
        {
            "m.kind": {"choices": ["a", "b", "c"]},
            "m.on": {"choices": ["yes", "no"]},
            "m.x": {"low": 0.0, "high": 1.0, "when": {"m.kind": "a"}},
        }
    )
    rows = np.array([space.encode({"m.kind": "a", "m.on": "no", "m.x": 0.25}),
                     space.encode({"m.kind": "c", "m.on": "yes"})])  # fmt: skip
    assert columns(space, rows).tolist() == [[1, 0, 0, 0.75, 0.25], [0, 0, 1, 0.25, -1]]


def test_a_child_replaces_the_parent_that_it_improves_on() -> None:
    state = {"members": [0, 1, 2, 3], "open": {"4": [1, 0.9, 0.2], "5": [2, 0.1, 0.9]}}
    population = Population(state, size=4)
    population.learn({0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0, 4: 0.2, 5: 1.5}, [4, 5])
    assert population.members == [0, 4, 2, 3]
    assert population.open == {}
    # What led to it is what is tried more from now on.
    assert population.steps[0] == pytest.approx(0.9)
    assert population.crossings[0] == pytest.approx(0.2)


def test_an_enqueued_trial_replaces_the_worst_member() -> None:
    population = Population({"members": [0, 1, 2, 3]}, size=4)
    population.learn({0: 1.0, 1: 5.0, 2: 1.0, 3: 1.0, 9: 0.5}, [9])
    assert population.members == [0, 9, 2, 3]
    population.learn({0: 1.0, 9: 0.5, 2: 1.0, 3: 1.0, 10: 3.0}, [10])
    assert population.members == [0, 9, 2, 3]


def test_without_optuna_tpe_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(BadInput, match=r"pip install 'dense\[tpe\]'"):
        Optimizer(SPACE, strategy="tpe").ask(1)


def options_of_skopt(**options: str) -> Settings:
    return Settings(skopt=SkoptOptions(**options))


@pytest.mark.parametrize("estimator", ["RF", "ET", "GBRT"])
@pytest.mark.parametrize("acquisition", ["EI", "gp_hedge"])
def test_every_estimator_of_skopt_is_rebuilt_from_the_record(
    estimator: str, acquisition: str
) -> None:
    settings = options_of_skopt(estimator=estimator, acquisition=acquisition, lie="cl_mean")
    one = Optimizer(SPACE, strategy="skopt", settings=settings)
    for _ in range(3):
        for suggestion in one.ask(5):
            one.tell(suggestion.number, loss(suggestion.values))
    other = Optimizer.from_json(one.to_json())
    asked = one.ask(3)
    assert asked == other.ask(3)
    assert [suggestion.origin for suggestion in asked] == ["model"] * 3


def test_gp_hedge_carries_its_gains_in_the_state() -> None:
    optimizer = Optimizer(SPACE, strategy="skopt", settings=options_of_skopt(estimator="ET"))
    gains = []
    for _ in range(5):
        for suggestion in optimizer.ask(5):
            optimizer.tell(suggestion.number, loss(suggestion.values))
        gains.append(optimizer._state.get("gains"))
    assert gains[:3] == [None, None, [0.0, 0.0, 0.0]]
    assert gains[3] != gains[4] and 0.0 not in gains[4]


def test_skopt_satisfies_constraints_and_suggests_no_repeat() -> None:
    settings = options_of_skopt(estimator="ET", acquisition="EI")
    rules = ["m.x + m.y <= 0.8"]
    optimizer = Optimizer(SPACE, strategy="skopt", constraints=rules, settings=settings)
    origins = []
    for _ in range(5):
        for suggestion in optimizer.ask(4):
            assert suggestion.values["m.x"] + suggestion.values["m.y"] <= 0.8
            origins.append(suggestion.origin)
            optimizer.tell(suggestion.number, loss(suggestion.values))
    assert origins[10:].count("model") >= 8


def test_skopt_warns_where_tight_constraints_leave_it_random_picks() -> None:
    tight = Optimizer(SPACE, strategy="skopt", seed=1, constraints=["m.x + m.y <= 0.05"])
    for suggestion in tight.ask(10):
        tight.tell(suggestion.number, loss(suggestion.values))
    assert tight.warning is None  # the initial design is random by design
    assert {suggestion.origin for suggestion in tight.ask(2)} == {"random"}
    assert tight.warning == TIGHT_CONSTRAINTS
    loose = Optimizer(SPACE, strategy="skopt", seed=1, constraints=["m.x + m.y <= 1"])
    for suggestion in loose.ask(10):
        loose.tell(suggestion.number, loss(suggestion.values))
    assert {suggestion.origin for suggestion in loose.ask(2)} == {"model"}
    assert loose.warning is None


def test_a_point_of_skopt_is_the_configuration_that_it_was_made_of() -> None:
    space = Space({**SPACE, "m.p": {"low": 0.01, "high": 0.99, "scale": "logit"},
                   "m.n": {"low": 1, "high": 100, "type": "int", "scale": "log"},
                   "m.one": {"choices": [3]},
                   "m.size": {"choices": [16, 32, 64]}})  # fmt: skip
    coordinates = Coordinates(space)
    for row in space.snap(np.random.default_rng(0).random((20, len(space)))):
        values = space.decode(row)
        assert coordinates.values(coordinates.point(row)) == pytest.approx(values)


def test_a_lie_keeps_skopt_away_from_pending_points() -> None:
    space = {"m.x": {"low": 0.0, "high": 1.0}}
    told = [Observation(n, {"m.x": n / 12}, (n / 12 - 0.4) ** 2) for n in range(13)]
    settings = options_of_skopt(acquisition="LCB", lie="cl_max")
    same = {"strategy": "skopt", "first": 14, "count": 1, "settings": settings}
    alone = proposed(space, observations=told, **same).suggestions[0].values["m.x"]
    beside = proposed(space, observations=told, pending=[(13, {"m.x": alone})], **same)
    assert abs(beside.suggestions[0].values["m.x"] - alone) > 1e-3
