"""scikit-learn's estimators: what their settings build, and what their files give back."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from conf.runtime.errors import DenseError
from conf.schema.estimators import Estimator, GradientBoosting, Knn, Linear, RandomForest, Svm
from models.estimators.build import build_estimator, numbers, probabilities
from models.estimators.skops_io import as_bytes, load_estimator, same_estimators

SETTINGS: list[Estimator] = [
    RandomForest(trees=12, depth=4),
    GradientBoosting(rounds=6, leaf=2),
    Svm(c=3.0),
    Knn(neighbours=3, vote="distance"),
    Linear(c=3.0),
]
EACH = pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.kind)


def rows(count: int = 90) -> tuple[NDArray, NDArray]:
    random = np.random.default_rng(0)
    targets = np.arange(count) % 3
    return (random.normal(size=(count, 5)) + targets[:, None]).astype(np.float32), targets


@EACH
def test_a_saved_estimator_predicts_the_same(settings: Estimator, tmp_path: Path) -> None:
    x, y = rows()
    estimator = build_estimator(settings, 2**40 + 7, 1, y).fit(x, y)
    path = tmp_path / "model.skops"
    path.write_bytes(as_bytes(estimator))
    expected = probabilities(estimator, x, 3)
    np.testing.assert_array_equal(probabilities(load_estimator(path), x, 3), expected)
    assert (expected.argmax(axis=1) == y).mean() > 0.7
    assert expected.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert numbers(estimator) == 18 if isinstance(settings, Linear) else numbers(estimator) > 50


@EACH
def test_the_result_is_a_function_of_seed_and_rows(settings: Estimator) -> None:
    x, y = rows()
    found = [
        probabilities(build_estimator(settings, 5, threads, y).fit(x, y), x, 3)
        for threads in (1, 2)
    ]
    np.testing.assert_array_equal(*found)


TEXTS = np.array([f"{word} ok\n{n}" for n, word in enumerate(("good", "bad", "so so") * 20)])
MOODS = np.arange(60) % 3
ANSWERED = {
    "classes": MOODS,
    "labels": np.stack([MOODS == 0, MOODS != 1], axis=1).astype(np.int64),
    "numbers": MOODS / 2.0,
}


@pytest.mark.parametrize("analyzer", ["word", "char"])
@pytest.mark.parametrize("targets", ANSWERED.values(), ids=ANSWERED)
def test_the_ngrams_are_stored_in_a_few_files(
    targets: NDArray, analyzer: str, tmp_path: Path
) -> None:
    settings = Linear(analyzer=analyzer, longest=2, rarest=3, c=100.0)
    estimator = build_estimator(settings, 0, 1, targets, texts=True).fit(TEXTS, targets)
    path = tmp_path / "model.skops"
    path.write_bytes(as_bytes(estimator))
    assert len(zipfile.ZipFile(path).namelist()) < 20
    again = load_estimator(path)
    assert again[0].vocabulary_ == estimator[0].vocabulary_
    assert ("good ok" in again[0].vocabulary_) == (analyzer == "word")
    assert not any("17" in ngram for ngram in again[0].vocabulary_)  # of one row
    outputs = 3 if targets is MOODS else 2 if targets.ndim == 2 else 1
    assert numbers(again) == (len(again[0].vocabulary_) + 1) * outputs
    if targets.dtype.kind == "f":
        np.testing.assert_array_equal(again.predict(TEXTS), estimator.predict(TEXTS))
        np.testing.assert_allclose(again.predict(TEXTS), targets, atol=0.1)
        return
    said = probabilities(again, TEXTS, 3)
    np.testing.assert_array_equal(said, probabilities(estimator, TEXTS, 3))
    answers = said.argmax(axis=1) if targets.ndim == 1 else said > 0.5
    assert (answers == targets).all()


def test_the_scale_of_a_regression_target_does_not_matter() -> None:
    x, y = rows()
    targets = y.astype(np.float32)
    one, other = (
        build_estimator(Linear(c=0.1), 0, 1, given).fit(x, given).predict(x)
        for given in (targets, 1000 * targets)
    )
    np.testing.assert_allclose(other, 1000 * one, rtol=1e-3)


def test_a_class_without_a_training_row_has_no_probability() -> None:
    x, y = rows()
    x, y = x[y != 1], y[y != 1]
    estimator = build_estimator(RandomForest(trees=3), 0, 1, y).fit(x, y)
    found = probabilities(estimator, x, 4)
    assert found.shape == (60, 4)
    assert not found[:, [1, 3]].any()


def test_neighbours_are_limited_to_the_training_rows() -> None:
    x, y = rows(6)
    assert build_estimator(Knn(neighbours=50), 0, 1, y).fit(x, y).n_neighbors == 6


def test_the_forest_is_scikit_learns_own() -> None:
    x, y = rows()
    settings = RandomForest(trees=9, depth=3, leaf=2, features=0.5)
    ours = build_estimator(settings, 11, 1, y).fit(x, y)
    theirs = RandomForestClassifier(
        9, max_depth=3, min_samples_leaf=2, max_features=0.5, random_state=11
    )
    np.testing.assert_array_equal(ours.predict_proba(x), theirs.fit(x, y).predict_proba(x))


def test_calibration_refuses_a_class_with_one_row() -> None:
    with pytest.raises(DenseError, match="one training row"):
        build_estimator(Svm(), 0, 1, np.array([0, 0, 1]))


def test_untrusted_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(b"no zip")
    with pytest.raises(DenseError, match="cannot be read"):
        load_estimator(path)

    class Evil(LogisticRegression):
        pass

    path.write_bytes(skops.io.dumps(Evil()))
    with pytest.raises(DenseError, match="cannot be read"):
        load_estimator(path)


@EACH
def test_balanced_class_weights_raise_rare_classes(settings: Estimator) -> None:
    random = np.random.default_rng(3)
    y = (np.arange(200) % 10 == 0).astype(np.int64)
    x = (random.normal(size=(200, 4)) + 0.8 * y[:, None]).astype(np.float32)
    plain, balanced = (
        probabilities(build_estimator(settings, 0, 1, y, balanced=weighed).fit(x, y), x, 2)
        for weighed in (False, True)
    )
    if isinstance(settings, Knn):  # which knows no weights
        np.testing.assert_array_equal(plain, balanced)
    else:
        assert not np.array_equal(plain, balanced)
    if isinstance(settings, Linear):
        assert balanced[:, 1].mean() > plain[:, 1].mean() + 0.1


def test_a_label_that_every_row_has_cannot_be_learnt() -> None:
    targets = np.array([[0, 1], [1, 1], [0, 1]], dtype=np.float32)
    with pytest.raises(DenseError, match="leave that label out"):
        build_estimator(Linear(), 0, 1, targets)


@EACH
def test_every_setting_changes_the_estimator(settings: Estimator, tmp_path: Path) -> None:
    x, y = rows()
    other = x.copy()
    other[0] += 1.0
    for name, given in (("a", x), ("b", x), ("c", other)):
        estimator = build_estimator(settings, 7, 1, y).fit(given, y)
        (tmp_path / name).write_bytes(as_bytes(estimator))
    assert same_estimators(tmp_path / "a", tmp_path / "b")
    assert not same_estimators(tmp_path / "a", tmp_path / "c")
