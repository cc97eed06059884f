"""Several objectives: weights, the front, and a search that fills it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.suggest import Observation, Optimizer, Settings
from tasks.suggest.acquisition.pareto import pareto_front, scalarisation_weights, scalarised

SPACE = {"m.x": {"low": 0.0, "high": 1.0}, "m.y": {"low": 0.0, "high": 1.0}}
ALSO = Settings(also=(("speed", "maximize"),))
points = st.dictionaries(
    st.integers(0, 50), st.tuples(*[st.sampled_from([0.0, 1.0, 2.0, 3.0])] * 2), max_size=12
)


def two(values: dict) -> tuple[float, float]:
    """Losses in conflict: their front lies along m.y = 0.5, from m.x = 0 to 1."""
    away = 4.0 * (values["m.y"] - 0.5) ** 2
    return values["m.x"] ** 2 + away, (1.0 - values["m.x"]) ** 2 + away


def played(strategy: str, seed: int, rounds: int = 8) -> list[tuple[float, float]]:
    """The losses of all trials; the second is told as a speed, which is to rise."""
    optimizer = Optimizer(SPACE, strategy=strategy, seed=seed, settings=ALSO)
    found = []
    for _ in range(rounds):
        for suggestion in optimizer.ask(4):
            one, other = two(suggestion.values)
            found.append((one, other))
            optimizer.tell(suggestion.number, one, measures={"speed": -1000.0 * other})
    return found


def volume(found: Sequence[tuple[float, float]]) -> float:
    """The area below (2, 2) that the front of two losses dominates."""
    area, edge = 0.0, 2.0
    for number in pareto_front(dict(enumerate(found))):
        one, other = found[number]
        area += max(0.0, 2.0 - one) * max(0.0, edge - other)
        edge = min(edge, other)
    return area


def test_the_search_fills_the_front() -> None:
    seeds = range(3)
    ours = [volume(played("bayes", seed)) for seed in seeds]
    chance = [volume(played("random", seed)) for seed in seeds]
    assert np.mean(ours) > np.mean(chance)


def test_the_pareto_front_reaches_both_extremes() -> None:
    found = played("bayes", seed=0, rounds=10)
    on_it = [found[number] for number in pareto_front(dict(enumerate(found)))]
    assert len(on_it) >= 6
    assert min(one for one, _ in on_it) < 0.05 and min(other for _, other in on_it) < 0.05
    assert min(max(pair) for pair in on_it) < 0.35  # the middle of it is at 0.25


@given(points)
def test_the_pareto_front_is_the_set_of_non_dominated_points(
    found: dict[int, tuple[float, float]],
) -> None:
    def beaten(number: int) -> bool:
        mine = found[number]
        return any(
            all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine
            for other in found.values()
        )

    assert sorted(pareto_front(found)) == sorted(number for number in found if not beaten(number))


@given(st.integers(2, 5), st.integers(0, 1_000), st.integers(0, 10_000))
def test_weights_are_shares(count: int, seed: int, step: int) -> None:
    drawn = scalarisation_weights(count, seed, step)
    assert len(drawn) == count and drawn.min() >= 0 and drawn.sum() == pytest.approx(1.0)


def test_weights_cover_the_simplex() -> None:
    first = np.sort([scalarisation_weights(2, 0, step)[0] for step in range(40)])
    assert first[0] < 0.05 and first[-1] > 0.95 and np.diff(first).max() < 0.06


def observed(measures: Sequence[dict[str, float]]) -> list[Observation]:
    return [Observation(n, {}, 1.0, measures=given) for n, given in enumerate(measures)]


def test_the_units_of_an_objective_do_not_matter() -> None:
    losses = {0: 0.1, 1: 0.5, 2: 0.9}
    small = observed([{"speed": value} for value in (3.0, 2.0, 1.0)])
    large = observed([{"speed": 1e6 * value} for value in (3.0, 2.0, 1.0)])
    told = (ALSO.also, 0, 7)
    assert scalarised(losses, small, *told) == pytest.approx(scalarised(losses, large, *told))
    assert min(scalarised(losses, small, *told).items(), key=lambda item: item[1])[0] == 0


@pytest.mark.parametrize("missing", [{}, {"speed": math.nan}, {"speed": -math.inf}], ids=str)
def test_a_measure_that_is_missing_is_the_worst(missing: dict[str, float]) -> None:
    losses = {0: 0.5, 1: 0.5, 2: 0.5}
    told = observed([{"speed": 3.0}, {"speed": 1.0}, missing])
    found = scalarised(losses, told, ALSO.also, 0, 3)
    assert found[2] == found[1] > found[0]


def test_missing_results_and_measures_are_harmless() -> None:
    assert scalarised({}, [], ALSO.also, 0, 0) == {}
    assert len(Optimizer(SPACE, settings=ALSO).ask(3)) == 3
    alike = scalarised({0: 1.0, 1: 1.0}, observed([{}, {}]), ALSO.also, 0, 0)
    assert alike[0] == alike[1]


def test_measures_go_through_json() -> None:
    optimizer = Optimizer(SPACE, settings=ALSO)
    for _ in range(5):
        for suggestion in optimizer.ask(3):
            one, other = two(suggestion.values)
            optimizer.tell(suggestion.number, one, measures={"speed": -other})
    copy = Optimizer.from_json(optimizer.to_json())
    assert copy.ask(3) == optimizer.ask(3)
