"""Metrics of probabilities and of numbers agree with scikit-learn's own, weighted rows included."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk

from conf.schema.evaluate import OF_NUMBERS, Evaluate
from tasks.evaluate.intervals import bootstrap_intervals, resampled_indices, resampled_weights
from tasks.evaluate.metrics import compute, score
from tasks.evaluate.numbers import METRICS
from tasks.evaluate.predictions import NumberPredictions
from tasks.evaluate.probability_metrics import calibration_error, reliability, roc_auc


def sample(rows: int, classes: int, seed: int) -> tuple[NDArray, NDArray, NDArray]:
    random = np.random.default_rng(seed)
    targets = random.integers(classes, size=rows)
    targets[:classes] = np.arange(classes)
    # Rounded, so that ties are many.
    raw = np.round(random.random((rows, classes)) + 0.4 * np.eye(classes)[targets], 1) + 0.05
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    return targets, probabilities.argmax(axis=1), probabilities


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("seed", range(4))
def test_area_under_the_curve(classes: int, seed: int) -> None:
    targets, predictions, probabilities = sample(60, classes, seed)
    found = compute(["roc_auc"], targets, predictions, probabilities)["roc_auc"]
    given = probabilities[:, 1] if classes == 2 else probabilities
    expected = sk.roc_auc_score(targets, given, multi_class="ovr", average="macro")
    assert found == pytest.approx(expected, abs=1e-12)


def test_weights_are_repetitions() -> None:
    targets, predictions, probabilities = sample(50, 3, 9)
    metrics = {
        "roc_auc": roc_auc(targets, probabilities),
        "ece": calibration_error(targets, predictions, probabilities),
    }
    for name, metric in metrics.items():
        resampled = resampled_weights(metric, 50, 20, 3)
        (block,) = resampled_indices(50, 20, 3)
        for row, value in zip(block, resampled, strict=True):
            whole = compute([name], targets[row], predictions[row], probabilities[row])[name]
            assert value == pytest.approx(whole, abs=1e-12)


def test_classes_without_rows_do_not_count() -> None:
    targets, predictions, probabilities = sample(60, 4, 1)
    kept = targets != 2
    found = compute(["roc_auc"], targets[kept], predictions[kept], probabilities[kept])["roc_auc"]
    areas = [
        sk.roc_auc_score(targets[kept] == label, probabilities[kept, label]) for label in (0, 1, 3)
    ]
    assert found == pytest.approx(np.mean(areas), abs=1e-12)
    one = compute(["roc_auc"], np.zeros(3, int), np.zeros(3, int), np.full((3, 2), 0.5))
    assert np.isnan(one["roc_auc"])


def test_calibration_is_the_mean_gap_of_the_bins() -> None:
    targets, predictions, probabilities = sample(400, 3, 2)
    found = compute(["ece"], targets, predictions, probabilities)["ece"]
    bins = reliability(targets, predictions, probabilities)
    assert sum(each.rows for each in bins) == 400
    gaps = [each.rows * abs(each.confidence - each.accuracy) for each in bins]
    assert found == pytest.approx(sum(gaps) / 400, abs=1e-12)
    sure = np.eye(3)[targets]
    assert compute(["ece"], targets, targets, sure)["ece"] == 0.0
    wrong = (targets + 1) % 3
    assert compute(["ece"], targets, wrong, np.eye(3)[wrong])["ece"] == 1.0


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_numbers(offset: float) -> None:
    random = np.random.default_rng(3)
    targets = random.normal(size=200) * 5 + offset
    predictions = targets + random.normal(size=200)
    rows = NumberPredictions(np.arange(200), targets, predictions)
    section = Evaluate(objective="rmse", metrics=OF_NUMBERS)
    found = score(rows, section)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(targets, predictions), rel=1e-9)
    expected = sk.root_mean_squared_error(targets, predictions)
    assert found["rmse"] == pytest.approx(expected, rel=1e-9)
    assert found["r2"] == pytest.approx(sk.r2_score(targets, predictions), rel=1e-9)
    intervals = bootstrap_intervals(rows, section)
    assert all(each.low < each.value < each.high for each in intervals.values())
    resampled = resampled_weights(METRICS["r2"](targets, predictions), 200, 10, 0)
    (block,) = resampled_indices(200, 10, 0)
    again = [sk.r2_score(targets[row], predictions[row]) for row in block]
    assert resampled == pytest.approx(np.array(again), rel=1e-9)


def test_variance_of_equal_targets_is_not_explained() -> None:
    rows = NumberPredictions(np.arange(3), np.full(3, 2.0), np.arange(3.0))
    assert np.isnan(score(rows, Evaluate(objective="r2", metrics=("r2",)))["r2"])
