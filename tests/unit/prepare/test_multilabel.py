"""Any number of labels a row: which there are, and how rows are divided by them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from conf.runtime.errors import BadInput
from conf.schema.split import Stratified
from conf.schema.study import Study
from data.card import Leakage
from data.sources.rows import Rows
from tasks.prepare.splitting.multilabel import check_trained_labels, label_matrix, strata
from tasks.prepare.splitting.split import divide
from tasks.prepare.store.card import data_card
from tests.cards import as_inputs
from tests.unit.prepare.made import table_rows


def labelled(*names: str) -> Rows:
    """Rows with these labels, a letter each."""
    features = np.arange(len(names), dtype=np.float64)[:, None]
    return table_rows(features, [json.dumps(list(each)) for each in names])


def test_the_matrix_and_what_is_left_out() -> None:
    labels, matrix, report = label_matrix(labelled("ab", "b", "", "abz", "ab", "y"), floor=3)
    assert labels == ("a", "b")
    assert matrix.tolist() == [[1, 1], [0, 1], [0, 0], [1, 1], [1, 1], [0, 0]]
    assert (report.rows_out, report.changed, report.examples) == (6, 2, ("'y'", "'z'"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(["", "", ""], "no row has a label", id="none"),
        pytest.param(["a", "a", "a", "ab", ""], r"'b' \(1\).*clean.class_floor", id="rare"),
        pytest.param(["a", "a", "ab", "ab", "ab"], "every row has the label 'a'", id="always"),
    ],
)
def test_what_cannot_be_learnt_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        label_matrix(labelled(*names), floor=1)


def test_rows_are_divided_by_their_rarest_label() -> None:
    random = np.random.default_rng(0)
    matrix = (random.random((500, 3)) < [0.5, 0.2, 0.03]).astype(np.int8)
    kinds = strata(matrix)
    assert set(kinds[matrix[:, 2] > 0]) == {2} and set(kinds[~matrix.any(axis=1)]) == {3}
    rows = labelled(*[""] * 500)
    parts, _ = divide(rows, kinds, Stratified(), 0)
    rare = [int(matrix[parts == part, 2].sum()) for part in range(3)]
    total = sum(rare)
    assert abs(rare[1] - 0.2 * total) < 1 and abs(rare[2] - 0.2 * total) < 1


def test_a_division_that_leaves_nothing_to_learn_is_refused() -> None:
    matrix = np.array([[1, 0], [0, 0], [0, 1]], np.int8)
    check_trained_labels(matrix, np.array([True, False, True]), ("a", "b"))
    with pytest.raises(BadInput, match="no row of the training split has the label 'b'"):
        check_trained_labels(matrix, np.array([True, True, False]), ("a", "b"))


def test_the_card_counts_rows_of_each_label() -> None:
    matrix = np.array([[1, 1], [0, 1], [1, 0]], np.int8)
    study = Study.model_validate({"name": "a", "data": {"source": "builtin", "name": "wine"}})
    splits, inputs = np.array([0, 0, 1], np.int8), as_inputs({"kind": "text"})
    found = data_card(
        study, {}, 3, labelled(*"abc"), matrix, splits, ("a", "b"),
        rules=[], leakage=Leakage(exact=0), anonymity=None, inputs=inputs,
    )  # fmt: skip
    assert found.counts == {
        "train": {"a": 1, "b": 2}, "validation": {"a": 1, "b": 0}, "test": {"a": 0, "b": 0},
    }  # fmt: skip
    assert found.target is None
