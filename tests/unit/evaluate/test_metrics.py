"""Metrics agree with scikit-learn's own, which are far too slow for every epoch."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable
from functools import partial
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sk

from conf.schema.evaluate import OF_TWO, LessIsBetter, MoreIsBetter
from tasks.evaluate.metrics import compute

NAMES = (*get_args(MoreIsBetter), *get_args(LessIsBetter))

REFERENCE: dict[str, Callable[[NDArray, NDArray], float]] = {
    "accuracy": sk.accuracy_score,
    "matthews": sk.matthews_corrcoef,
    **{
        f"{name}_{average}": partial(function, average=average, zero_division=0)
        for name, function in (
            ("precision", sk.precision_score),
            ("recall", sk.recall_score),
            ("f1", sk.f1_score),
        )
        for average in ("macro", "micro", "weighted")
    },
}


@st.composite
def samples(draw: st.DrawFn) -> tuple[NDArray, NDArray, NDArray]:
    """Any sample of a classifier: few rows or many, classes without targets or predictions."""
    classes = draw(st.integers(2, 6))
    label = st.integers(0, classes - 1)
    pairs = draw(st.lists(st.tuples(label, label), min_size=1, max_size=40))
    targets, predictions = np.array(pairs).T
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    probabilities = random.dirichlet(np.full(classes, 0.1), size=len(pairs))
    return targets, predictions, probabilities


@given(samples())
@settings(max_examples=50, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_all_agree_with_scikit_learn(sample: tuple[NDArray, NDArray, NDArray]) -> None:
    targets, predictions, probabilities = sample
    values = compute(NAMES, *sample)
    for name, reference in REFERENCE.items():
        assert values[name] == pytest.approx(reference(targets, predictions), abs=1e-12), name
    balanced = sk.balanced_accuracy_score(targets, predictions)
    assert values["balanced_accuracy"] == pytest.approx(balanced, abs=1e-12)
    two = compute(OF_TWO, *sample)
    for name, function in zip(
        OF_TWO, (sk.precision_score, sk.recall_score, sk.f1_score), strict=True
    ):
        if probabilities.shape[1] == 2:
            alone = function(targets, predictions, average="binary", zero_division=0)
            assert two[name] == pytest.approx(alone, abs=1e-12), name
        else:
            assert np.isnan(two[name])
    labels = np.arange(probabilities.shape[1])
    loss = sk.log_loss(targets, y_proba=probabilities, labels=labels)
    assert values["log_loss"] == pytest.approx(loss, abs=1e-12)


def test_every_configurable_metric_is_computed() -> None:
    targets = np.array([0, 1, 2, 2])
    values = compute(NAMES, targets, targets, np.eye(3)[targets])
    assert set(values) == set(NAMES)
    assert all(values[name] == 1.0 for name in get_args(MoreIsBetter))
    assert values["log_loss"] == pytest.approx(0.0, abs=1e-12)


def test_a_confident_error_in_half_precision_is_finite() -> None:
    probabilities = np.array([[1, 0], [1, 0]], dtype=np.float32)
    values = compute(["log_loss"], np.array([0, 1]), np.array([0, 0]), probabilities)
    assert values["log_loss"] == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("targets", "predictions", "shape", "sentence"),
    [
        pytest.param([], [], (0, 3), "no rows", id="empty"),
        pytest.param([0, 1], [0], (2, 3), "same rows", id="lengths"),
        pytest.param([0, 1], [0, 1], (2,), "same rows", id="one-dimensional"),
        pytest.param([0, 3], [0, 1], (2, 3), "targets must lie in 0..2", id="target-too-large"),
        pytest.param([0, 1], [0, -1], (2, 3), "predictions must lie", id="negative-prediction"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    targets: list[int], predictions: list[int], shape: tuple[int, ...], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        compute(["accuracy"], np.array(targets), np.array(predictions), np.ones(shape))


def test_a_metric_of_ones_own_is_one_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("tasks.evaluate.own.first_class")
    module.score = lambda targets, predictions, probabilities: probabilities[:, 0].mean()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    labels = np.array([0, 1])
    values = compute(["first_class"], labels, labels, np.array([[0.5, 0.5], [0.1, 0.9]]))
    assert values == {"first_class": pytest.approx(0.3)}


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = (
        "import sys, tasks.evaluate.evaluation;"
        "print([m for m in ('torch', 'sklearn', 'pyarrow', 'pandas', 'mlflow', 'scipy')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
