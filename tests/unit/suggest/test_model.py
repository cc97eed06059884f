"""The surrogate: gradients, conditioning, transforms, and what the pieces that learn do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tasks.suggest import Observation
from tasks.suggest.acquisition.expected_improvement import log_expected_improvement
from tasks.suggest.acquisition.trust_region import FIRST, Region, settle_local_picks
from tasks.suggest.space.space import Space
from tasks.suggest.surrogate.gp import _loss_and_slope, condition, fit, hyper_prior
from tasks.suggest.surrogate.kernel import Features, Theta, covariance
from tasks.suggest.surrogate.output_transform import standardised
from tasks.suggest.surrogate.parzen import Parzen
from tasks.suggest.surrogate.posterior_table import PosteriorTable
from tests.unit.suggest.results import proposed


def table(count: int, seed: int = 0) -> Features:
    generator = np.random.default_rng(seed)
    return Features(generator.uniform(0.01, 0.99, (count, 3)), generator.integers(0, 3, (count, 2)))


def values(points: Features) -> np.ndarray:
    y = np.sin(5 * points.numeric[:, 0]) + (points.labels[:, 0] == 1) + points.numeric[:, 1]
    return (y - y.mean()) / y.std()


def theta(seed: int = 1) -> Theta:
    priors = hyper_prior(3, 2)
    step = np.random.default_rng(seed).standard_normal(len(priors.mean))
    return Theta(priors.mean + 0.3 * step, 3, 2)


def test_the_gradient_of_the_likelihood_is_its_slope() -> None:
    points, vector = table(25), theta().vector
    arguments = (points, values(points), hyper_prior(3, 2))
    slope = _loss_and_slope(vector, *arguments)[1]
    for index, step in enumerate(np.eye(len(vector)) * 1e-5):
        up = _loss_and_slope(vector + step, *arguments)[0]
        down = _loss_and_slope(vector - step, *arguments)[0]
        assert slope[index] == pytest.approx((up - down) / 2e-5, abs=1e-4)


def test_covariances_are_those_of_a_process() -> None:
    points = table(40)
    eigenvalues = np.linalg.eigvalsh(covariance(points, points, theta()))
    assert eigenvalues.min() > -1e-9


def test_a_fantasy_equals_observing_the_posterior_mean() -> None:
    points, more = table(20), table(3, seed=9)
    process = condition(theta(), points, values(points))
    told = np.concatenate([values(points), process.predict(more)[0]])
    observed = condition(theta(), points.join(more), told)
    at = table(15, seed=4)
    mean, variance = observed.predict(at)
    believed_mean, believed_variance = process.condition_on_mean(more).predict(at)
    assert believed_mean == pytest.approx(mean, abs=1e-5)
    assert believed_variance == pytest.approx(variance, abs=1e-5)


def test_the_posterior_table_follows_the_process() -> None:
    points, at = table(20), table(15, seed=4)
    process = condition(theta(), points, values(points))
    field = PosteriorTable(process, at)
    for seed in (7, 8):
        pick = table(1, seed=seed)
        field.condition_on_mean(process, pick)
        process = process.condition_on_mean(pick)
    mean, variance = process.predict(at)
    assert field.mean == pytest.approx(mean, abs=1e-6)
    assert field.variance == pytest.approx(variance, abs=1e-5)


def test_a_fit_explains_the_data_better_than_its_start() -> None:
    points = table(40)
    y = values(points)
    priors = hyper_prior(3, 2)
    fitted = fit(points, y)
    before = _loss_and_slope(priors.mean, points, y, priors)[0]
    assert _loss_and_slope(fitted.vector, points, y, priors)[0] < before - 5.0
    at = table(30, seed=3)
    mean, _ = condition(fitted, points, y).predict(at)
    assert np.corrcoef(mean, values(at))[0, 1] > 0.8


@given(arrays(float, st.integers(2, 40), elements=st.floats(-1e6, 1e6)))
@settings(deadline=None)
def test_the_transform_keeps_the_order_and_is_finite(losses: np.ndarray) -> None:
    levels = standardised(losses)
    assert np.all(np.isfinite(levels))
    order = np.argsort(losses, kind="stable")
    assert np.all(np.diff(levels[order]) >= -1e-9)


def test_a_diverged_run_does_not_flatten_the_others() -> None:
    levels = standardised(np.array([0.1, 0.12, 0.15, 0.2, 0.3, 1e9]))
    assert np.ptp(levels[:5]) > 1.0


def test_log_expected_improvement_is_finite_and_rising_far_out() -> None:
    means = np.linspace(200.0, -5.0, 500)
    scores = log_expected_improvement(means, np.full(500, 0.01), 0.0)
    assert np.all(np.isfinite(scores)) and np.all(np.diff(scores) > 0)


def test_expected_improvement_prefers_the_lower_of_two_as_certain() -> None:
    scores = log_expected_improvement(np.array([0.5, -0.5]), np.array([0.2, 0.2]), 0.0)
    assert scores[1] > scores[0]


def test_local_picks_are_settled_when_they_end() -> None:
    told = [Observation(3, {}, 0.5), Observation(5, {}, None, "failed", "nan")]
    changes, left = settle_local_picks({"3": 1.0, "5": 1.0, "9": 1.0}, told, {3: 0.5}, spread=2.0)
    assert changes == [0.25, -1.0]
    assert left == {"9": 1.0}


def test_the_units_of_the_objective_do_not_matter() -> None:
    space = {"m.x": {"low": 0.0, "high": 1.0}, "m.y": {"low": 0.0, "high": 1.0}}
    generator = np.random.default_rng(0)
    points = [dict(zip(space, map(float, generator.random(2)), strict=True)) for _ in range(12)]
    loss = [(v["m.x"] - 0.3) ** 2 + v["m.y"] for v in points]
    told = [Observation(n, v, y) for n, (v, y) in enumerate(zip(points, loss, strict=True))]
    scaled = [Observation(o.number, o.values, o.value * 1024.0) for o in told]
    plain = proposed(space, first=12, count=4, observations=told)
    large = proposed(space, first=12, count=4, observations=scaled)
    assert plain.suggestions == large.suggestions
    assert large.forecast.gain == pytest.approx(1024.0 * plain.forecast.gain)


def test_the_region_grows_with_success_and_shrinks_without() -> None:
    assert Region().after([0.1, 0.1], patience=3).side == 2 * FIRST
    assert Region().after([-0.1] * 3, patience=3).side == FIRST / 2
    assert Region().after([-0.1, -0.1, 0.1, -0.1], patience=3).side == FIRST
    assert Region().after([-0.1] * 15, patience=3).side == FIRST  # opens again
    assert Region(side=0.1).after([0.0], patience=3).side == FIRST  # a plateau


SQUARE = Space({"m.x": {"low": 0.0, "high": 1.0}, "m.y": {"low": 0.0, "high": 1.0}})


def test_a_batch_mixes_origins() -> None:
    rows = np.random.default_rng(0).random((16, 2))
    told = [
        Observation(n, SQUARE.decode(row), float(np.sum((row - 0.3) ** 2)))
        for n, row in enumerate(rows)
    ]
    proposal = proposed(SQUARE.description, first=16, count=8, observations=told)
    origins = [suggestion.origin for suggestion in proposal.suggestions]
    assert set(origins) == {"density", "model", "local"}
    assert len(proposal.state["awaited"]) == origins.count("local")


def test_no_improvement_is_expected_between_tied_results() -> None:
    points = Features(np.linspace(0.05, 0.95, 10)[:, None], np.zeros((10, 0), dtype=int))
    levels = np.where(points.numeric[:, 0] < 0.5, -1.0, np.linspace(0.5, 1.5, 10))
    plain = condition(Theta(hyper_prior(1, 0).mean, 1, 0), points, levels)
    stepped = replace(plain, plateau_values=levels)
    at = Features(np.array([[0.2], [0.8]]), np.zeros((2, 0), dtype=int))
    ratio = stepped.predict(at)[1] / plain.predict(at)[1]
    assert ratio[0] < 0.5 and ratio[1] == 1.0
    assert PosteriorTable(stepped, at).variance == pytest.approx(stepped.predict(at)[1], abs=1e-9)


def test_the_density_of_better_trials_is_high_where_they_cluster() -> None:
    rows = np.random.default_rng(0).random((60, 2))
    parzen = Parzen(SQUARE, rows, np.sum((rows - 0.3) ** 2, axis=1), np.empty((0, 2)))
    here, there = np.array([[0.3, 0.3]]), np.array([[0.9, 0.9]])
    assert parzen.score(here) > 0.0 > parzen.score(there)
    drawn = parzen.draw(200, np.random.default_rng(1))
    assert np.linalg.norm(np.median(drawn, axis=0) - 0.3) < 0.1
    before = parzen.score(here)
    parzen.add_other(here[0])
    assert parzen.score(here) < before


def test_only_the_order_of_the_losses_matters_to_the_density() -> None:
    rows = np.random.default_rng(0).random((30, 2))
    losses = np.sum((rows - 0.3) ** 2, axis=1)
    at = np.random.default_rng(1).random((9, 2))
    plain = Parzen(SQUARE, rows, losses, rows[:2]).score(at)
    assert np.array_equal(plain, Parzen(SQUARE, rows, np.exp(9 * losses), rows[:2]).score(at))


def test_inactive_settings_do_not_count_in_the_density() -> None:
    space = Space(
        {
            "m.kind": {"choices": ["a", "b"]},
            "m.x": {"low": 0.0, "high": 1.0, "when": {"m.kind": "b"}},
        }
    )
    rows = space.snap(np.random.default_rng(0).random((40, 2)))
    parzen = Parzen(space, rows, rows[:, 0], np.empty((0, 2)))
    drawn = parzen.draw(50, np.random.default_rng(1))
    assert np.array_equal(drawn, space.snap(drawn), equal_nan=True)
    assert np.all(np.isfinite(parzen.score(drawn)))


def test_the_forecast_falls_as_the_best_is_found() -> None:
    space = {"m.x": {"low": 0.0, "high": 1.0}}

    def step(count: int) -> float:
        xs = np.linspace(0.0, 1.0, count)
        told = [
            Observation(n, {"m.x": float(x)}, float(np.sin(6 * x)), seconds=2.0)
            for n, x in enumerate(xs)
        ]
        proposal = proposed(space, first=count, count=2, observations=told)
        assert proposal.forecast.seconds == 4.0
        assert 0.0 <= proposal.forecast.gain <= proposal.forecast.regret
        return proposal.forecast.regret

    assert step(24) < step(6)


def test_two_thousand_observations_are_modelled_by_some_of_them() -> None:
    from tasks.suggest.surrogate.model import chosen_points

    losses = np.random.default_rng(1).random(2000)
    kept = chosen_points(losses, 800, np.random.default_rng(0))
    assert len(kept) == 800
    assert set(np.argsort(losses)[:400]) <= set(kept)
