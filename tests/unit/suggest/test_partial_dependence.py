"""What is expected along one setting, over two, and of random search."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.suggest.analysis.fitted_model import FittedModel, fit_model
from tasks.suggest.analysis.partial_dependence import (
    dependence_on,
    dependence_on_pair,
    random_search_curve,
)
from tests.unit.suggest.results import SPACE, results


def of(loss: object, count: int = 60) -> FittedModel:
    """What is learnt of a quantity."""
    model = fit_model(SPACE, results(count, loss), np.random.default_rng(0))  # type: ignore[arg-type]
    assert model is not None
    return model


def test_partial_dependence_has_its_minimum_at_the_optimum() -> None:
    model = of(lambda v: (np.log10(v["m.a"]) + 2) ** 2)
    found = dependence_on(model, "m.a", np.random.default_rng(1))
    assert 3e-3 < found.values[int(np.argmin(found.expected))] < 3e-2
    assert found.expected[0] == pytest.approx(4.0, abs=0.7)
    assert all(a <= b for a, b in zip(found.low, found.high, strict=True))
    flat = dependence_on(model, "m.b", np.random.default_rng(1))
    assert np.ptp(flat.expected) < 0.2 * np.ptp(found.expected)
    assert flat.values == tuple(range(1, 10))


def test_a_slice_shows_every_category_and_switches_on_what_is_conditional() -> None:
    model = of(lambda v: 2.0 * (v["m.c"] == "x") + v.get("m.d", 0.0))
    kinds = dependence_on(model, "m.c", np.random.default_rng(1))
    assert kinds.values == ("x", "y") and kinds.expected[0] > kinds.expected[1] + 1.0
    inner = dependence_on(model, "m.d", np.random.default_rng(1))
    assert inner.expected[0] > 1.5 and inner.expected[-1] > inner.expected[0] + 0.3


def test_a_plane_follows_both_settings() -> None:
    model = of(lambda v: (np.log10(v["m.a"]) + 2) ** 2 + v["m.b"] / 3)
    plane = dependence_on_pair(model, "m.a", "m.b", np.random.default_rng(1))
    grid = np.array(plane.expected)
    assert grid.shape == (len(plane.values[1]), len(plane.values[0]))
    row, column = np.unravel_index(np.argmin(grid), grid.shape)
    assert plane.values[1][row] <= 2 and 3e-3 < plane.values[0][column] < 3e-2


def test_where_the_inner_setting_is_off_the_plane_is_flat() -> None:
    model = of(lambda v: 2.0 * (v["m.c"] == "x") + v.get("m.d", 0.0))
    grid = np.array(dependence_on_pair(model, "m.d", "m.c", np.random.default_rng(1)).expected)
    assert np.ptp(grid[1]) < 1e-9 < 0.3 < np.ptp(grid[0])


def test_the_expected_best_falls_with_the_number_of_random_trials() -> None:
    model = of(lambda v: (np.log10(v["m.a"]) + 2) ** 2)
    found = np.array(random_search_curve(model, 100, np.random.default_rng(1)))
    assert np.all(np.diff(found) <= 1e-12)
    assert model.losses.min() <= found[-1] < found[0] < model.losses.max()
    assert found[0] == pytest.approx(float(np.mean(model.losses)), rel=0.35)
