from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tasks.monitor import statistics


def drawn(seed: int, rows: int, columns: int = 3, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, columns)) + shift


def test_the_distance_is_that_of_scipy_also_with_ties() -> None:
    old, new = np.round(drawn(0, 80), 1), np.round(drawn(1, 60, shift=0.3), 1)
    found = statistics.kolmogorov_smirnov(old, new, resamples=99)
    wanted = [stats.ks_2samp(a, b).statistic for a, b in zip(old.T, new.T, strict=True)]
    assert found.each == pytest.approx(wanted, abs=1e-5)
    assert found.p == found.p_each.min()


def test_the_same_is_told_from_the_other() -> None:
    old = drawn(3, 300)
    same, other = drawn(4, 100), drawn(5, 100)
    other[:, 1] += 1.0
    for test in (statistics.kolmogorov_smirnov, statistics.maximum_mean_discrepancy):
        assert test(old, same, resamples=199).p > 0.05
        assert test(old, other, resamples=199).p == 1 / 200
    found = statistics.kolmogorov_smirnov(old, other, resamples=199)
    assert found.each.argmax() == 1 and found.p_each[0] > 0.05


def test_what_only_their_dependence_tells_apart_is_seen_together() -> None:
    random = np.random.default_rng(0)
    old = random.normal(size=(400, 2))
    first = random.normal(size=400)
    new = np.stack([first, 0.9 * first + 0.436 * random.normal(size=400)], axis=1)
    assert statistics.kolmogorov_smirnov(old, new, resamples=199).p > 0.01
    assert statistics.maximum_mean_discrepancy(old, new, resamples=199).p == 1 / 200


@pytest.mark.parametrize(
    "test", [statistics.kolmogorov_smirnov, statistics.maximum_mean_discrepancy], ids=["ks", "mmd"]
)
def test_p_values_are_uniform_where_nothing_changed(test: object) -> None:
    found = []
    for seed in range(200):
        rows = drawn(seed, 60, 2)
        found.append(test(rows[:40], rows[40:], resamples=99, seed=seed).p)  # type: ignore[operator]
    below = np.mean(np.array(found) <= 0.1)
    assert 0.04 <= below <= 0.17


def test_stability_is_zero_for_equal_shares_and_grows() -> None:
    old = np.array([40, 40, 20])
    assert statistics.count_stability(old, old, resamples=99).value == pytest.approx(0, abs=1e-9)
    moved = statistics.count_stability(old, np.array([10, 40, 50]), resamples=199)
    assert moved.value > 0.25 and moved.p == 1 / 200
    assert statistics.total_variation(old, np.array([10, 40, 50])) == pytest.approx(0.3)


def test_a_feature_with_few_values_has_fewer_bins() -> None:
    old, new = np.repeat([0.0, 1.0], 50)[:, None], np.zeros((40, 1))
    (found,) = statistics.feature_stability(old, new)
    assert np.isfinite(found) and found > 1
    constant = np.ones((10, 1))
    assert statistics.feature_stability(constant, constant)[0] == pytest.approx(0)
    assert statistics.kolmogorov_smirnov(constant, constant, resamples=9).p == 1
    assert statistics.maximum_mean_discrepancy(constant, constant, resamples=9).p == 1
