"""Metrics of any number of labels a row agree with scikit-learn's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from conf.schema.evaluate import OF_LABELS, Evaluate
from tasks.evaluate import intervals, metrics
from tasks.evaluate.evaluation import evaluate_predictions
from tasks.evaluate.paired import paired_difference
from tasks.evaluate.predictions import LabelPredictions, read, write

ANY = Evaluate()


def said(rows: int = 60, labels: int = 4, seed: int = 0, steps: int = 20) -> LabelPredictions:
    """Answers with ties among them, better than chance."""
    random = np.random.default_rng(seed)
    targets = (random.random((rows, labels)) < 0.4).astype(np.int8)
    likely = np.clip(0.3 * targets + 0.7 * random.random((rows, labels)), 0, 1)
    return LabelPredictions(
        np.arange(rows), targets, (np.round(likely * steps) / steps).astype(np.float32)
    )


def sklearn_of(name: str, of: LabelPredictions) -> float:
    """The same metric by scikit-learn."""
    if name == "accuracy":
        return float(theirs.accuracy_score(of.targets, of.predictions))
    if name == "hamming_loss":
        return float(theirs.hamming_loss(of.targets, of.predictions))
    if name == "roc_auc":
        return float(theirs.roc_auc_score(of.targets, of.probabilities))
    if name == "average_precision":
        return float(theirs.average_precision_score(of.targets, of.probabilities))
    kind, average = name.split("_")
    score = getattr(theirs, f"{kind}_score")
    return float(score(of.targets, of.predictions, average=average, zero_division=0))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(20, 60), st.integers(1, 5), st.sampled_from([2, 5, 1000]))
def test_they_agree_with_scikit_learn(seed: int, rows: int, labels: int, steps: int) -> None:
    of = said(rows, labels, seed, steps)
    constant = (of.targets.min(axis=0) == of.targets.max(axis=0)).any()
    names = [n for n in OF_LABELS if not (constant and n in ("roc_auc", "average_precision"))]
    if labels == 1:  # scikit-learn takes one column for two classes
        names = ["accuracy", "hamming_loss"]
    found = metrics.score(of, ANY, names)
    assert found == pytest.approx({name: sklearn_of(name, of) for name in names}, abs=1e-12)


def test_a_label_without_rows_counts_as_in_scikit_learn() -> None:
    of = said()
    of.targets[:, 2] = 0
    for name in ("f1_macro", "recall_macro", "precision_macro", "f1_weighted"):
        assert metrics.score(of, ANY, [name])[name] == pytest.approx(sklearn_of(name, of))
    kept = LabelPredictions(of.ids, of.targets[:, [0, 1, 3]], of.probabilities[:, [0, 1, 3]])
    for name in ("roc_auc", "average_precision"):  # not defined there: the others' mean
        assert metrics.score(of, ANY, [name])[name] == pytest.approx(sklearn_of(name, kept))


def test_weights_are_repeated_rows() -> None:
    of, twice = said(30), np.concatenate([np.arange(30), np.arange(10)])
    weights = np.bincount(twice, minlength=30)[None].astype(np.float64)
    again = LabelPredictions(of.ids[twice], of.targets[twice], of.probabilities[twice])
    for name in OF_LABELS:
        found = metrics.weighted_metric(name, of, ANY.texts)
        assert found is not None
        assert found(weights)[0] == pytest.approx(metrics.score(again, ANY, [name])[name]), name


def test_an_evaluation_has_intervals_and_scores_by_label(tmp_path: Path) -> None:
    of = said(200)
    write(tmp_path / "p.parquet", of)
    back = read(tmp_path / "p.parquet")
    assert isinstance(back, LabelPredictions)
    for name in ("ids", "targets", "predictions", "probabilities"):
        np.testing.assert_array_equal(getattr(back, name), getattr(of, name))
    section = Evaluate(objective="f1_macro", metrics=("f1_macro", "accuracy"))
    found = evaluate_predictions(back, section, "0" * 64)
    for each in found.metrics.values():
        assert each.low < each.value < each.high
    alone = theirs.f1_score(of.targets, of.predictions, average=None)
    assert [label.f1 for label in found.classes] == pytest.approx(alone)
    assert found.confusion == () and found.classes[0].f1_low < found.classes[0].f1
    assert (
        intervals.bootstrap_intervals(of, section)["f1_macro"].low == found.metrics["f1_macro"].low
    )


def test_two_models_are_compared_row_by_row() -> None:
    better = said(200)
    worse = LabelPredictions(better.ids, better.targets, 1 - better.probabilities)
    found = paired_difference("f1_micro", worse, better, sign=-1.0)
    assert 0 < found.low < found.value < found.high
