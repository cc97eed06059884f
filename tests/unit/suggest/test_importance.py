"""Which settings mattered, and how far to trust it."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.suggest.importance import FEWEST, importance
from tasks.suggest.space import Space

SPACE = Space(
    {
        "m.a": {"low": 1e-4, "high": 1.0, "scale": "log"},
        "m.b": {"low": 1, "high": 9, "type": "int"},
        "m.c": {"choices": ["x", "y"]},
        "m.d": {"low": 0.0, "high": 1.0, "when": {"m.c": "x"}},
    }
)


def results(count: int, loss: object, seed: int = 0) -> list[tuple[dict, float]]:
    """Random configurations with their losses."""
    rows = SPACE.snap(np.random.default_rng(seed).random((count, len(SPACE))))
    return [(SPACE.decode(row), float(loss(SPACE.decode(row)))) for row in rows]  # type: ignore[operator]


def test_the_setting_that_decides_has_nearly_all_of_it() -> None:
    found = importance(SPACE, results(40, lambda v: (np.log10(v["m.a"]) + 2) ** 2))
    assert found is not None
    assert next(iter(found.shares)) == "m.a" and found.shares["m.a"] > 0.9
    assert max(share for key, share in found.shares.items() if key != "m.a") < 0.1
    assert found.foretold > 0.8 and found.results == 40


def test_a_category_and_what_it_switches_on_count() -> None:
    found = importance(SPACE, results(60, lambda v: 2.0 * (v["m.c"] == "x") + v.get("m.d", 0.0)))
    assert found is not None
    assert list(found.shares)[:2] == ["m.c", "m.d"]
    assert found.shares["m.c"] > 0.5 > found.shares["m.d"] > 0.005


def test_noise_is_not_foretold() -> None:
    chance = np.random.default_rng(5)
    found = importance(SPACE, results(40, lambda v: chance.standard_normal()))
    assert found is not None and found.foretold < 0.3


def test_the_same_results_give_the_same_shares() -> None:
    told = results(20, lambda v: v["m.b"])
    assert importance(SPACE, told, seed=3) == importance(SPACE, told, seed=3)


@pytest.mark.parametrize(
    "told",
    [
        [],
        results(FEWEST - 1, lambda v: v["m.b"]),
        results(20, lambda v: 1.0),
        [({"m.other": 1}, float(n)) for n in range(20)],
        [(values, float("nan")) for values, _ in results(20, lambda v: 1.0)],
    ],
    ids=["none", "few", "constant", "another-space", "nan"],
)
def test_where_there_is_nothing_to_say_nothing_is_said(told: list) -> None:
    assert importance(SPACE, told) is None
