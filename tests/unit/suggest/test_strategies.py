"""What `evolution`, `forest` and `tpe` do beyond what every strategy promises."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from conf.runtime.errors import BadInput
from tasks.suggest import Optimizer
from tasks.suggest.space.space import Space
from tasks.suggest.strategies.evolution import Population
from tasks.suggest.strategies.forest import columns

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


@pytest.mark.parametrize(("strategy", "rounds"), [("evolution", 20), ("forest", 10), ("tpe", 12)])
def test_it_beats_chance(strategy: str, rounds: int) -> None:
    seeds = range(2)
    found = sum(best_of(strategy, seed, rounds) for seed in seeds)
    assert found < 0.5 * sum(best_of("random", seed, rounds) for seed in seeds)


def test_a_forest_has_a_column_for_each_value_of_a_category_and_for_inactivity() -> None:
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


def test_a_child_takes_the_place_of_the_member_that_it_beats() -> None:
    state = {"members": [0, 1, 2, 3], "open": {"4": [1, 0.9, 0.2], "5": [2, 0.1, 0.9]}}
    population = Population(state, size=4)
    population.learn({0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0, 4: 0.2, 5: 1.5}, [4, 5])
    assert population.members == [0, 4, 2, 3]
    assert population.open == {}
    # What led to it is what is tried more from now on.
    assert population.steps[0] == pytest.approx(0.9)
    assert population.crossings[0] == pytest.approx(0.2)


def test_a_persons_idea_joins_in_the_place_of_the_worst() -> None:
    population = Population({"members": [0, 1, 2, 3]}, size=4)
    population.learn({0: 1.0, 1: 5.0, 2: 1.0, 3: 1.0, 9: 0.5}, [9])
    assert population.members == [0, 9, 2, 3]
    population.learn({0: 1.0, 9: 0.5, 2: 1.0, 3: 1.0, 10: 3.0}, [10])
    assert population.members == [0, 9, 2, 3]


def test_without_optuna_tpe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(BadInput, match=r"pip install 'dense\[tpe\]'"):
        Optimizer(SPACE, strategy="tpe").ask(1)
