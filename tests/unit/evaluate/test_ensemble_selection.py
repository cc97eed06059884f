from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.runtime.errors import DenseError
from conf.schema.evaluate import Evaluate
from tasks.evaluate.ensemble_selection import select, select_ensemble, weighted_mean
from tasks.evaluate.evaluation import PREDICTIONS
from tasks.evaluate.metrics import compute
from tasks.evaluate.predictions import (
    AnyPredictions,
    LabelPredictions,
    NumberPredictions,
    Predictions,
    TextPredictions,
    write,
)

ACCURACY = Evaluate(objective="accuracy")
TARGETS = np.array([0, 0, 1, 1, 0, 1])


def said(*right: float, ids: object = None) -> Predictions:
    """A member that gives the true class of each row this probability."""
    sure = np.array(right)
    probabilities = np.where(
        TARGETS[:, None] == np.arange(2)[None, :], sure[:, None], 1 - sure[:, None]
    )
    rows = np.arange(len(TARGETS)) if ids is None else np.asarray(ids)
    return Predictions(rows, TARGETS, probabilities.argmax(axis=1), probabilities)


FIRST = said(0.9, 0.9, 0.9, 0.9, 0.4, 0.9)
SECOND = said(0.9, 0.4, 0.9, 0.4, 0.9, 0.9)
POOR = said(0.1, 0.1, 0.1, 0.1, 0.1, 0.1)


def test_members_that_err_on_different_rows_mend_each_other() -> None:
    found = select({3: FIRST, 7: SECOND, 9: POOR}, "accuracy", "maximize")
    assert found.weights == {3: 0.5, 7: 0.5}
    assert (found.single, found.value) == (5 / 6, 1.0)


def test_nothing_is_added_where_nothing_helps() -> None:
    assert select({3: FIRST, 9: POOR}, "accuracy", "maximize").weights == {3: 1.0}


def test_a_loss_falls() -> None:
    first, second = said(0.9, 0.9, 0.9, 0.1, 0.1, 0.1), said(0.1, 0.1, 0.1, 0.9, 0.9, 0.9)
    found = select({3: first, 7: second}, "log_loss", "minimize")
    assert found.value == pytest.approx(-np.log(0.5)) and found.value < found.single


def test_other_rows_are_refused() -> None:
    strange = said(*[0.9] * 6, ids=[5, 4, 3, 2, 1, 0])
    with pytest.raises(DenseError, match="trial 7"):
        select({3: FIRST, 7: strange}, "accuracy", "maximize")


member = st.lists(st.floats(0.01, 0.99), min_size=6, max_size=6)


@settings(max_examples=50, deadline=None)
@given(st.lists(member, min_size=1, max_size=5))
def test_an_ensemble_is_never_worse_than_its_best_member(members: list[list[float]]) -> None:
    predictions = {number: said(*right) for number, right in enumerate(members)}
    found = select(predictions, "log_loss", "minimize")
    alone = [
        compute(["log_loss"], p.targets, p.predictions, p.probabilities)["log_loss"]
        for p in predictions.values()
    ]
    assert found.single == pytest.approx(min(alone))
    assert found.value <= found.single
    assert sum(found.weights.values()) == pytest.approx(1)
    numbers = list(found.weights)
    mixed = weighted_mean([predictions[n] for n in numbers], [found.weights[n] for n in numbers])
    assert isinstance(mixed, Predictions)
    value = compute(["log_loss"], mixed.targets, mixed.predictions, mixed.probabilities)
    assert value["log_loss"] == pytest.approx(found.value)


def numbers(*values: float) -> NumberPredictions:
    return NumberPredictions(np.arange(3), np.array([1.0, 2.0, 3.0]), np.array(values))


def test_numbers_are_averaged() -> None:
    high, low, far = numbers(1.5, 2.5, 3.5), numbers(0.5, 1.5, 2.5), numbers(9.0, 9.0, 9.0)
    found = select({1: high, 2: low, 3: far}, "rmse", "minimize")
    assert found.weights == {1: 0.5, 2: 0.5}
    assert (found.value, found.single) == (0.0, 0.5)
    mixed = weighted_mean([high, far], [3, 1])
    assert isinstance(mixed, NumberPredictions)
    assert mixed.predictions.tolist() == [3.375, 4.125, 4.875]


def test_labels_are_averaged() -> None:
    targets = np.array([[1, 0], [1, 1]], dtype=np.int8)

    def labels(*chances: float) -> LabelPredictions:
        return LabelPredictions(np.arange(2), targets, np.array(chances).reshape(2, 2))

    first, second = labels(0.9, 0.1, 0.9, 0.3), labels(0.3, 0.1, 0.7, 0.9)
    found = select({1: first, 2: second}, "f1_micro", "maximize")
    assert found.weights == {1: 0.5, 2: 0.5}
    assert found.single < found.value == 1.0
    mixed = weighted_mean([first, second], [1, 1])
    assert isinstance(mixed, LabelPredictions)
    np.testing.assert_array_equal(mixed.predictions, targets)


def folders_of(tmp_path: Path, *members: AnyPredictions) -> list[tuple[int, Path]]:
    """Numbers and folders of trials with these predictions, the best first."""
    trials = []
    for number, each in enumerate(members):
        path = tmp_path / str(number)
        path.mkdir()
        write(path / PREDICTIONS, each)
        trials.append((number, path))
    return trials


def test_of_a_record_the_best_trials_are_looked_at_as_far_as_there_is_room(tmp_path: Path) -> None:
    trials = folders_of(tmp_path, FIRST, POOR, SECOND)
    whole = select_ensemble(trials, ACCURACY)
    assert whole is not None and whole.weights == {0: 0.5, 2: 0.5}
    cut = select_ensemble(trials, ACCURACY, room=2 * FIRST.probabilities.size)
    assert cut is not None and cut.weights == {0: 1.0}


def test_one_trial_or_written_texts_make_no_ensemble(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    assert select_ensemble(folders_of(tmp_path / "one", FIRST), ACCURACY) is None
    texts = TextPredictions(np.arange(2), ["a", "b"], ["a", "c"])
    assert select_ensemble(folders_of(tmp_path, texts, texts), ACCURACY) is None
