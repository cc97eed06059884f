from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.errors import DenseError
from tasks.champion.ensemble import combined, select
from tasks.evaluate.metrics import compute
from tasks.evaluate.predictions import Predictions

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
    mixed = combined([predictions[n] for n in numbers], [found.weights[n] for n in numbers])
    value = compute(["log_loss"], mixed.targets, mixed.predictions, mixed.probabilities)
    assert value["log_loss"] == pytest.approx(found.value)
