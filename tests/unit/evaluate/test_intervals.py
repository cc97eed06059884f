"""Bootstrap intervals: right in distribution, equal from run to run, cheap."""

from __future__ import annotations

import sys
import types
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from conf.schema.evaluate import OF_TWO, LessIsBetter, MoreIsBetter
from tasks.evaluate.counts import METRICS, confusion, margins
from tasks.evaluate.intervals import bootstrap, resampled_margins
from tasks.evaluate.metrics import compute

NAMES = (*get_args(MoreIsBetter), *get_args(LessIsBetter))


def sample(rows: int, classes: int, skill: float = 0.8) -> tuple[NDArray, NDArray, NDArray]:
    random = np.random.default_rng(7)
    targets = random.integers(classes, size=rows)
    right = random.random(rows) < skill
    predictions = np.where(right, targets, random.integers(classes, size=rows))
    probabilities = random.dirichlet(np.ones(classes), size=rows) + 3 * np.eye(classes)[predictions]
    return targets, predictions, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_values_are_those_of_compute_and_lie_inside() -> None:
    arrays = sample(300, 10)
    found = bootstrap(NAMES, *arrays)
    assert {name: each.value for name, each in found.items()} == compute(NAMES, *arrays)
    assert all(each.low < each.value < each.high for each in found.values())


def test_resampled_counts_spread_like_resampled_rows() -> None:
    targets, predictions, _ = sample(400, 5)
    matrix = confusion(targets, predictions, 5)
    drawn = resampled_margins(matrix, 4000, np.random.default_rng(1))
    random = np.random.default_rng(2)
    rows = [random.integers(400, size=400) for _ in range(4000)]
    matrices = np.stack([confusion(targets[row], predictions[row], 5) for row in rows])
    for name in METRICS.keys() - set(OF_TWO):
        by_counts, by_rows = METRICS[name](drawn), METRICS[name](margins(matrices))
        assert by_counts.mean() == pytest.approx(by_rows.mean(), abs=0.003), name
        assert by_counts.std() == pytest.approx(by_rows.std(), rel=0.08), name


def test_resampled_margins_are_of_possible_matrices() -> None:
    targets, predictions, _ = sample(50, 12, skill=0.3)
    drawn = resampled_margins(confusion(targets, predictions, 12), 200, np.random.default_rng(0))
    assert (drawn.targets.sum(axis=1) == 50).all()
    assert (drawn.predicted.sum(axis=1) == 50).all()
    assert (drawn.hits <= np.minimum(drawn.targets, drawn.predicted)).all()


def test_an_interval_does_not_depend_on_what_else_is_asked() -> None:
    arrays = sample(100, 3)
    together = bootstrap(NAMES, *arrays, seed=5)
    assert together == {name: bootstrap([name], *arrays, seed=5)[name] for name in NAMES}
    assert together != bootstrap(NAMES, *arrays, seed=6)


def test_more_rows_narrow_the_interval() -> None:
    small = bootstrap(["accuracy"], *sample(100, 4))["accuracy"]
    large = bootstrap(["accuracy"], *sample(10_000, 4))["accuracy"]
    assert large.high - large.low < 0.2 * (small.high - small.low)


def test_a_perfect_sample_has_no_width() -> None:
    labels = np.arange(20) % 4
    found = bootstrap(["accuracy", "f1_macro"], labels, labels, np.eye(4)[labels])
    assert {(each.low, each.value, each.high) for each in found.values()} == {(1.0, 1.0, 1.0)}


def test_a_sample_without_a_hit_has_an_interval() -> None:
    labels = np.array([0, 1, 1])
    found = bootstrap(["accuracy"], labels, 1 - labels, np.eye(2)[1 - labels])
    assert found["accuracy"].high == 0.0


def test_a_metric_of_ones_own_has_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("tasks.evaluate.own.twice")
    module.score = lambda targets, predictions, _: 2 * (targets == predictions).mean()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    arrays = sample(200, 3)
    own = bootstrap(["twice"], *arrays)["twice"]
    accuracy = bootstrap(["accuracy"], *arrays)["accuracy"]
    assert own.value == 2 * accuracy.value
    assert own.low == pytest.approx(2 * accuracy.low, abs=0.03)
