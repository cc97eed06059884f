"""scikit-learn's estimators: what their settings build, and what their files give back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from conf.errors import DenseError
from conf.estimators import Estimator, GradientBoosting, Knn, RandomForest, Svm
from models.estimators import (
    as_bytes,
    build_estimator,
    load_estimator,
    numbers,
    probabilities,
)

SETTINGS: list[Estimator] = [
    RandomForest(trees=12, depth=4),
    GradientBoosting(rounds=6, leaf=2),
    Svm(c=3.0),
    Knn(neighbours=3, vote="distance"),
]
EACH = pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.kind)


def rows(count: int = 90) -> tuple[NDArray, NDArray]:
    random = np.random.default_rng(0)
    targets = np.arange(count) % 3
    return (random.normal(size=(count, 5)) + targets[:, None]).astype(np.float32), targets


@EACH
def test_a_file_gives_back_the_same_answers(settings: Estimator, tmp_path: Path) -> None:
    x, y = rows()
    estimator = build_estimator(settings, 2**40 + 7, 1, y).fit(x, y)
    path = tmp_path / "model.skops"
    path.write_bytes(as_bytes(estimator))
    expected = probabilities(estimator, x, 3)
    np.testing.assert_array_equal(probabilities(load_estimator(path), x, 3), expected)
    assert (expected.argmax(axis=1) == y).mean() > 0.7
    assert expected.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert numbers(estimator) > 50


@EACH
def test_seed_and_rows_alone_decide(settings: Estimator) -> None:
    x, y = rows()
    found = [
        probabilities(build_estimator(settings, 5, threads, y).fit(x, y), x, 3)
        for threads in (1, 2)
    ]
    np.testing.assert_array_equal(*found)


def test_a_class_without_a_training_row_has_no_probability() -> None:
    x, y = rows()
    x, y = x[y != 1], y[y != 1]
    estimator = build_estimator(RandomForest(trees=3), 0, 1, y).fit(x, y)
    found = probabilities(estimator, x, 4)
    assert found.shape == (60, 4)
    assert not found[:, [1, 3]].any()


def test_more_neighbours_than_rows_are_all_rows() -> None:
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


def test_a_class_of_one_row_is_refused_where_probabilities_are_fitted() -> None:
    with pytest.raises(DenseError, match="one training row"):
        build_estimator(Svm(), 0, 1, np.array([0, 0, 1]))


def test_files_of_other_things_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(b"no zip")
    with pytest.raises(DenseError, match="cannot be read"):
        load_estimator(path)

    class Evil(LogisticRegression):
        pass

    path.write_bytes(skops.io.dumps(Evil()))
    with pytest.raises(DenseError, match="cannot be read"):
        load_estimator(path)
