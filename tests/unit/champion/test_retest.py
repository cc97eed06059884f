from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.runtime.errors import DenseError
from tasks.champion.retest import compare, p_value
from tasks.packaging.records import RetestEntry


def entry(number: int, *values: float, parameters: int = 100) -> RetestEntry:
    return RetestEntry(
        number=number, values=values, epochs=tuple(3 for _ in values), parameters=parameters
    )


GOOD = entry(1, 0.98, 0.97, 0.99, parameters=200)
ALIKE = entry(2, 0.97, 0.975, 0.985, parameters=100)
POOR = entry(3, 0.90, 0.91, 0.92, parameters=10)


@pytest.mark.parametrize(
    ("entries", "chosen"),
    [
        pytest.param([GOOD, POOR], 1, id="the better one"),
        pytest.param([POOR, GOOD], 1, id="whatever the order"),
        pytest.param([GOOD, ALIKE, POOR], 2, id="a tie goes to the smaller model"),
        pytest.param([GOOD, entry(4, *GOOD.values, parameters=200)], 1, id="equal to the first"),
        pytest.param([POOR], 3, id="alone"),
    ],
)
def test_who_wins(entries: list[RetestEntry], chosen: int) -> None:
    found = compare(entries, direction="maximize", alpha=0.2)
    assert found.chosen == chosen
    assert found.winner.number == chosen
    assert len(found.reasons) == len(entries) - 1


def test_less_is_better_for_a_loss() -> None:
    assert compare([GOOD, POOR], direction="minimize", alpha=0.2).chosen == 3


def test_a_stricter_level_ties_more() -> None:
    near = entry(2, 0.975, 0.966, 0.982, parameters=100)
    chance = p_value(near, GOOD, -1.0)
    assert 0.01 < chance < 0.2
    assert compare([GOOD, near], direction="maximize", alpha=0.2).chosen == 1
    assert compare([GOOD, near], direction="maximize", alpha=0.01).chosen == 2


def test_nobody_left_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DenseError, match=r"champion\.retest=1"):
        compare([], direction="maximize", alpha=0.2)


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_winner_is_never_worse_beyond_doubt(values: list[list[float]]) -> None:
    entries = [entry(n, *v, parameters=n) for n, v in enumerate(values)]
    found = compare(entries, direction="maximize", alpha=0.2)
    best = max(entries, key=lambda e: e.mean)
    assert found.winner == best or p_value(found.winner, best, -1.0) >= 0.2
    assert np.isfinite(found.winner.mean)
