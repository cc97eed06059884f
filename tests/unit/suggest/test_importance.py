"""Which settings mattered, and how far to trust it."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.suggest.analysis.fitted_model import FEWEST, fit_model
from tasks.suggest.analysis.importance import Importance, importance
from tests.unit.suggest.results import SPACE, results


def found(told: list[tuple[dict, float]], seed: int = 0) -> Importance | None:
    """The importance that results give."""
    generator = np.random.default_rng(seed)
    model = fit_model(SPACE, told, generator)
    return None if model is None else importance(model, generator)


def test_the_decisive_setting_has_nearly_all_importance() -> None:
    shown = found(results(40, lambda v: (np.log10(v["m.a"]) + 2) ** 2))
    assert shown is not None
    assert next(iter(shown.shares)) == "m.a" and shown.shares["m.a"] > 0.9
    assert max(share for key, share in shown.shares.items() if key != "m.a") < 0.1
    assert shown.predictivity > 0.8 and shown.results == 40


def test_a_category_and_its_conditional_setting_are_important() -> None:
    shown = found(results(60, lambda v: 2.0 * (v["m.c"] == "x") + v.get("m.d", 0.0)))
    assert shown is not None
    assert list(shown.shares)[:2] == ["m.c", "m.d"]
    assert shown.shares["m.c"] > 0.5 > shown.shares["m.d"] > 0.005


def test_noise_is_not_important() -> None:
    chance = np.random.default_rng(5)
    shown = found(results(40, lambda v: chance.standard_normal()))
    assert shown is not None and shown.predictivity < 0.3


def test_the_same_results_give_the_same_shares() -> None:
    told = results(20, lambda v: v["m.b"])
    assert found(told, seed=3) == found(told, seed=3)


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
def test_without_enough_results_there_are_no_importances(told: list) -> None:
    assert found(told) is None
