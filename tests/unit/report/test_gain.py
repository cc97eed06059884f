"""What the search gained, with paired resamples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks.evaluate import intervals, metrics
from tasks.evaluate.paired import paired_difference
from tasks.evaluate.predictions import Predictions
from tasks.report.sections.gain import gain
from tasks.study.reader import StudyRecord
from tests.unit.report.made import made_home, made_study


def predictions(seed: int, error: float, rows: int = 300) -> Predictions:
    """Predictions of three classes, wrong by chance."""
    random = np.random.default_rng(seed)
    targets = np.arange(rows) % 3
    wrong = random.random(rows) < error
    found = np.where(wrong, (targets + 1) % 3, targets)
    probabilities = np.full((rows, 3), 0.1)
    probabilities[np.arange(rows), found] = 0.8
    return Predictions(np.arange(rows), targets, found, probabilities)


@pytest.mark.parametrize(("name", "sign"), [("accuracy", -1), ("f1_macro", -1), ("log_loss", 1)])
def test_the_value_is_the_difference_of_the_metric(name: str, sign: float) -> None:
    start, best = predictions(1, 0.3), predictions(2, 0.1)
    found = paired_difference(name, start, best, sign=sign)
    values = [
        metrics.compute([name], p.targets, p.predictions, p.probabilities)[name]
        for p in (start, best)
    ]
    assert found.value == pytest.approx(sign * (values[0] - values[1]), abs=1e-12)
    assert found.low < found.value < found.high
    assert found.low > 0


@pytest.mark.parametrize("name", ["accuracy", "f1_weighted"])
def test_draws_of_cells_agree_with_resampled_rows(name: str) -> None:
    start, best = predictions(1, 0.3), predictions(2, 0.2)
    found = paired_difference(name, start, best, sign=-1)
    differences = []
    for block in intervals.resampled_indices(300, 1_000, 5):
        for rows in block:
            values = [
                metrics.compute([name], p.targets[rows], p.predictions[rows], p.probabilities[rows])
                for p in (best, start)
            ]
            differences.append(values[0][name] - values[1][name])
    low, high = np.quantile(differences, (0.025, 0.975))
    assert found.low == pytest.approx(low, abs=0.012)
    assert found.high == pytest.approx(high, abs=0.012)


def test_pairs_that_err_on_the_same_rows_differ_little() -> None:
    start = predictions(1, 0.3)
    best = Predictions(start.ids, start.targets, start.predictions.copy(), start.probabilities)
    best.predictions[np.flatnonzero(start.predictions != start.targets)[:3]] = start.targets[
        np.flatnonzero(start.predictions != start.targets)[:3]
    ]
    found = paired_difference("accuracy", start, best, sign=-1)
    assert found.value == pytest.approx(0.01)
    assert 0 <= found.low <= found.high < 0.03  # far below what unpaired resamples would say


def test_a_study_gains_what_its_best_is_better(record: StudyRecord) -> None:
    found = gain(record)
    assert found is not None and found.interval is not None
    assert found.value == record.gain == pytest.approx(found.interval.value)


def test_there_is_no_gain_without_trial_0(tmp_path: Path) -> None:
    assert gain(made_study(made_home(tmp_path), trials=3, failed=(0,))) is None


def test_predictions_that_are_gone_cost_only_the_interval(tmp_path: Path) -> None:
    record = made_study(made_home(tmp_path), trials=6, failed=())
    (record.trial(0).path / "predictions.parquet").unlink()
    found = gain(record)
    assert found is not None
    assert (found.interval is None) or record.best is None or record.best.number == 0
