"""Every row that can be answered is; the others get the reason why not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conf.runtime.errors import BadInput
from tasks.scoring.answers import answer_rows
from tests.cards import as_inputs

COLUMNS = [
    {"name": "size", "kind": "number"},
    {
        "name": "city",
        "kind": "category",
        "levels": ["Lyon", "(other)", "(missing)"],
        "rare": ["Nice"],
    },
]
TABLE = as_inputs(
    {
        "kind": "table", "features": 4, "names": ["size", "city=Lyon", "city=(other)", "c"],
        "columns": COLUMNS, "missing": ["-"],
    }
)  # fmt: skip


def model() -> Any:
    """A model that predicts the number of the row among those it is given."""

    def predict(rows: Any) -> pd.DataFrame:
        return pd.DataFrame({"label": np.arange(len(rows)), "p_0": np.full(len(rows), 0.5)})

    return SimpleNamespace(predict=predict)


def test_bad_rows_get_an_empty_answer_and_the_reason() -> None:
    rows = pd.DataFrame({"size": ["1", "much", "-", "4"], "city": ["Lyon", "Lyon", "Nice", "Rome"]})
    answers = answer_rows(model(), rows, TABLE, "t.csv")
    frame = answers.whole()
    assert frame["label"].tolist() == [0, pd.NA, pd.NA, 1]
    assert frame["reason"].tolist() == [
        "", "size: 'much' is no number", "size: the value is missing", "",
    ]  # fmt: skip
    assert answers.remarks() == [
        "2 of 4 rows have no answer; the first is row 2: size: 'much' is no number",
        "city: training never saw 'Rome' (1)",
    ]


def test_rows_that_are_all_answered_have_no_column_of_reasons() -> None:
    rows = pd.DataFrame({"size": [1.0, 2.0], "city": ["Lyon", None]})
    answers = answer_rows(model(), rows, TABLE, "t.csv")
    assert list(answers.whole()) == ["label", "p_0"] and answers.remarks() == []


def test_a_model_that_fills_gaps_answers_rows_with_gaps() -> None:
    filling = TABLE.model_copy(update={"fill": (0.0,) * 4})
    rows = pd.DataFrame({"size": [None, 2.0], "city": ["Lyon", "Lyon"]})
    assert not answer_rows(model(), rows, filling, "t.csv").reasons


def test_texts_and_arrays_without_a_value_are_named() -> None:
    text = as_inputs({"kind": "text"})
    assert answer_rows(model(), ["a", None], text, "t").reasons == {1: "the text is missing"}
    plain = as_inputs({"kind": "table", "features": 2})
    rows = np.array([[1.0, np.nan], [1.0, 2.0]])
    assert answer_rows(model(), rows, plain, "t").answered.tolist() == [1]


def test_a_file_without_an_answer_is_refused() -> None:
    rows = pd.DataFrame({"size": ["much"], "city": ["Lyon"]})
    with pytest.raises(BadInput, match="no row can be answered; row 1: size: 'much' is no number"):
        answer_rows(model(), rows, TABLE, "t.csv")
