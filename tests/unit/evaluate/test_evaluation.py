"""`evaluation.json` is a function of the saved predictions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conf.runtime.errors import DenseError
from conf.schema.evaluate import Evaluate
from conf.schema.study import TrialConfig
from tasks.evaluate.evaluation import Evaluation, evaluate, evaluate_predictions
from tasks.evaluate.metrics import compute
from tasks.evaluate.predictions import Predictions, read, write

CONFIG = TrialConfig(evaluate=Evaluate(metrics=("f1_macro", "accuracy", "log_loss")))


def some(rows: int = 60, classes: int = 4, seed: int = 0) -> Predictions:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(classes), size=rows).astype(np.float32)
    targets = random.integers(classes, size=rows)
    return Predictions(np.arange(rows), targets, probabilities.argmax(axis=1), probabilities)


def test_predictions_come_back_with_their_types(tmp_path: Path) -> None:
    written = some()
    write(tmp_path / "deep" / "predictions.parquet", written)
    found = read(tmp_path / "deep" / "predictions.parquet")
    for name in ("ids", "targets", "predictions", "probabilities"):
        np.testing.assert_array_equal(getattr(found, name), getattr(written, name))
        assert getattr(found, name).dtype == getattr(written, name).dtype
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["predictions.parquet"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    write(path, some())
    before = path.read_bytes()
    broken = Predictions(np.arange(3), np.arange(2), np.arange(3), np.ones((3, 2)))
    with pytest.raises(ValueError, match="expected length"):
        write(path, broken)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_evaluation_agrees_with_the_epochs_function_to_the_bit(tmp_path: Path) -> None:
    predictions = some()
    write(tmp_path / "predictions.parquet", predictions)
    found = evaluate(tmp_path, CONFIG)
    expected = compute(
        CONFIG.evaluate.metrics,
        predictions.targets,
        predictions.predictions,
        predictions.probabilities,
    )
    assert {name: each.value for name, each in found.metrics.items()} == expected
    assert found.value == expected["accuracy"]
    assert np.trace(np.array(found.confusion)) / found.rows == expected["accuracy"]
    assert sum(scores.rows for scores in found.classes) == found.rows == 60
    mean_f1 = np.mean([scores.f1 for scores in found.classes])
    assert mean_f1 == pytest.approx(expected["f1_macro"], abs=1e-12)


def test_the_same_bytes_come_out_again(tmp_path: Path) -> None:
    write(tmp_path / "predictions.parquet", some())
    first = evaluate(tmp_path, CONFIG)
    path = tmp_path / "evaluation.json"
    before = path.read_bytes()
    path.unlink()
    assert evaluate(tmp_path, CONFIG) == first
    assert path.read_bytes() == before
    assert Evaluation.read(path) == first


def test_other_predictions_are_evaluated_again(tmp_path: Path) -> None:
    write(tmp_path / "predictions.parquet", some(seed=0))
    first = evaluate(tmp_path, CONFIG)
    write(tmp_path / "predictions.parquet", some(seed=1))
    assert evaluate(tmp_path, CONFIG).predictions != first.predictions


def test_a_torn_evaluation_is_written_again(tmp_path: Path) -> None:
    write(tmp_path / "predictions.parquet", some())
    first = evaluate(tmp_path, CONFIG)
    path = tmp_path / "evaluation.json"
    path.write_bytes(path.read_bytes()[:40])
    assert Evaluation.read(path) is None
    assert evaluate(tmp_path, CONFIG) == first == Evaluation.read(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(None, "cannot be read", id="missing"),
        pytest.param(b"PAR1 not really", "cannot be read as predictions", id="torn"),
    ],
)
def test_unreadable_predictions_are_one_sentence(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "predictions.parquet").write_bytes(content)
    with pytest.raises(DenseError, match=sentence):
        evaluate(tmp_path, CONFIG)


def test_a_metric_that_is_not_defined_on_the_rows_spoils_no_other(tmp_path: Path) -> None:
    found = some(classes=2)
    write(tmp_path / "predictions.parquet", replace(found, targets=np.zeros_like(found.targets)))
    section = Evaluate(metrics=("accuracy", "roc_auc"))
    first = evaluate(tmp_path, TrialConfig(evaluate=section))
    assert (set(first.metrics), first.undefined) == ({"accuracy"}, ("roc_auc",))
    assert evaluate(tmp_path, TrialConfig(evaluate=section)) == first
    section = Evaluate(metrics=("accuracy", "roc_auc"), constraints=("roc_auc >= 0.5",))
    with pytest.raises(ValueError, match="roc_auc is nan"):
        evaluate_predictions(read(tmp_path / "predictions.parquet"), section, "0" * 64)


def test_predictions_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    predictions = some()
    predictions.probabilities[:] = np.nan
    write(tmp_path / "predictions.parquet", predictions)
    section = Evaluate(objective="log_loss", metrics=("log_loss", "accuracy"))
    with pytest.raises(DenseError, match="log_loss is nan"):
        evaluate(tmp_path, TrialConfig(evaluate=section))
    assert not (tmp_path / "evaluation.json").exists()
