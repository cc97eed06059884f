from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.behaviour import Behaviour, Pair, Push
from conf.schema.champion import Gate
from conf.schema.study import Study
from data.card import DataCard
from tasks.champion.behaviour import score_pairs, score_push
from tasks.champion.behaviour_cases import check_cases, read_pairs, text_pairs
from tasks.champion.gate import apply_gate
from tests.cards import as_card
from tests.unit.champion.helpers import candidate, scored

TEXTS = as_card({"inputs": {"kind": "text"}, "classes": ["negative", "positive"]})
TABLE_INPUTS = {"kind": "table", "names": ["age", "dose"]}
TABLE = as_card({"inputs": TABLE_INPUTS, "classes": ["ill", "well"]})
NUMBERS = as_card({"inputs": TABLE_INPUTS, "classes": []})
IMAGES = as_card({"inputs": {"kind": "image"}, "classes": ["0", "1"]})


class Moods:
    """The more exclamation marks, the more positive."""

    def predict(self, texts: Any) -> pd.DataFrame:
        p = np.array([min(text.count("!"), 10) / 10 for text in texts], dtype=np.float32)
        return pd.DataFrame({"label": ["?"] * len(p), "p_negative": 1 - p, "p_positive": p})


class Line:
    """A number that rises with the first column and falls with the second."""

    def predict(self, rows: Any) -> pd.DataFrame:
        return pd.DataFrame({"prediction": rows[:, 0] - np.maximum(rows[:, 1], 0)})


def pair(higher: str, lower: str, of: str | None = "positive") -> Pair:
    return Pair(higher=higher, lower=lower, of=of)


@pytest.mark.parametrize(
    ("pairs", "share"),
    [
        pytest.param([pair("great!!", "awful")], 1.0, id="ranked"),
        pytest.param([pair("awful", "great!!")], 0.0, id="the wrong way round"),
        pytest.param([pair("awful", "great!", "negative")], 1.0, id="of the other class"),
        pytest.param([pair("same", "alike")], 0.0, id="no difference is no more"),
        pytest.param([pair("a!", "b"), pair("b", "a!!!")], 0.5, id="one of two"),
    ],
)
def test_pairs_of_texts(pairs: list[Pair], share: float) -> None:
    found = score_pairs(Moods(), pairs, 1.0)  # type: ignore[arg-type]
    assert found.share == share and f"{len(pairs)} pairs" in found.what
    worst = pairs[-1]
    assert repr(worst.higher) in str(found.worst) and f"for {worst.of}" in str(found.worst)


@pytest.mark.parametrize(
    ("push", "share"),
    [
        pytest.param(Push(column="age", by=1), 1.0, id="rises"),
        pytest.param(Push(column="age", by=-1), 0.0, id="falls"),
        pytest.param(Push(column="age", by=-1, fall=1), 1.0, id="falls as far as it may"),
        pytest.param(Push(column="dose", by=1), 0.5, id="falls in every second row"),
    ],
)
def test_pushed_columns(push: Push, share: float) -> None:
    rows = np.array([[1.0, -2.0], [2.0, 3.0], [np.nan, np.nan]])
    found = score_push(Line(), push, rows, ["age", "dose"].index(push.column))  # type: ignore[arg-type]
    assert found.share == share and "share of 2 rows" in found.what
    assert np.isnan(rows[2]).all() and rows[0, 0] == 1  # the rows themselves stay


def test_a_column_without_values_says_so() -> None:
    found = score_push(Line(), Push(column="age", by=1), np.full((3, 2), np.nan), 0)  # type: ignore[arg-type]
    assert found.share == 1 and "no row has a value" in found.what


def test_the_gate_gives_a_reason_for_each_set_and_names_the_worst_case() -> None:
    pairs = score_pairs(Moods(), [pair("awful", "great!!")], 0.9)  # type: ignore[arg-type]
    rows = np.ones((4, 2))
    rise = score_push(Line(), Push(column="age", by=1), rows, 0)  # type: ignore[arg-type]
    score = scored(candidate(), 0.95)
    decision = apply_gate(Gate(), score, metrics={}, gain=None, behaviour=[pairs, rise])
    assert [(each.rule, each.passed) for each in decision.reasons] == [
        ("behaviour", False),
        ("behaviour", True),
    ]
    assert decision.verdict == "refused"
    assert "is 0, below 0.9 (worst: 'awful' has 0 for positive, 'great!!' 0.2)" in decision.why


def study(**behaviour: Any) -> Study:
    return Study.model_validate({"name": "mine", "champion": {"gate": {"behaviour": behaviour}}})


GREAT = {"higher": "great", "lower": "awful", "of": "positive"}


@pytest.mark.parametrize(
    ("behaviour", "card"),
    [
        pytest.param({}, IMAGES, id="none"),
        pytest.param({"pairs": [GREAT]}, TEXTS, id="texts"),
        pytest.param({"pushes": [{"column": "age", "by": 1, "of": "ill"}]}, TABLE, id="table"),
        pytest.param({"pushes": [{"column": "age", "by": 1}]}, NUMBERS, id="a number"),
    ],
)
def test_cases_that_fit(behaviour: dict[str, Any], card: DataCard, tmp_path: Path) -> None:
    check_cases(study(**behaviour), card, Home.open(tmp_path))


@pytest.mark.parametrize(
    ("behaviour", "card", "message"),
    [
        pytest.param({"pairs": [GREAT]}, TABLE, "pairs are for data of kind text.* use pushes",
                     id="pairs of a table"),
        pytest.param({"pairs": [GREAT]}, IMAGES, "use champion.gate.invariance",
                     id="pairs of images"),
        pytest.param({"pushes": [{"column": "age", "by": 1}]}, TEXTS, "use pairs",
                     id="pushes of texts"),
        pytest.param({"pairs": [{**GREAT, "of": "positiv"}]}, TEXTS,
                     "no class 'positiv'; did you mean positive", id="a class misspelt"),
        pytest.param({"pairs": [{**GREAT, "of": None}]}, TEXTS, "has no `of`", id="no class"),
        pytest.param({"pushes": [{"column": "age", "by": 1, "of": "ill"}]}, NUMBERS,
                     "this is a regression, remove `of`", id="a class where a number is predicted"),
        pytest.param({"pushes": [{"column": "does", "by": 1, "of": "ill"}]}, TABLE,
                     "no numeric column 'does'; did you mean dose", id="a column misspelt"),
    ],
)  # fmt: skip
def test_cases_that_do_not_fit_are_refused_before_training(
    behaviour: dict[str, Any], card: DataCard, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=message):
        check_cases(study(**behaviour), card, Home.open(tmp_path))


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_file_of_cases(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSE_DATA", str(tmp_path))
    file = tmp_path / f"cases.{suffix}"
    csv = 'higher,lower,of\n"great, really",awful,positive\n'
    line = {"higher": "great, really", "lower": "awful", "of": "positive"}
    file.write_text(csv if suffix == "csv" else json.dumps(line) + "\n")
    behaviour = Behaviour(pairs=(pair("a", "b"),), file=file.name)
    home = Home.open(tmp_path / "home")
    assert text_pairs(behaviour, home) == (pair("a", "b"), pair("great, really", "awful"))
    with pytest.raises(BadInput, match=r"behaviour.file: there is no file other.csv"):
        text_pairs(Behaviour(file="other.csv"), home)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.csv", "higher,lower,of\n", "has no rows", id="no rows"),
        pytest.param("a.csv", "", "has no rows", id="empty"),
        pytest.param("a.csv", "higher,of\ngreat,x\n", "row 1: lower is missing", id="no column"),
        pytest.param("a.csv", "higher,lower,class\na,b,c\n",
                     "row 1: class is not a column of a case", id="another column"),
        pytest.param("a.csv", "higher,lower,of\na,b,c\nd,,c\n", "row 2: lower is missing",
                     id="an empty cell"),
        pytest.param("a.jsonl", "{higher: a}\n", "cannot be read as test cases", id="no JSON"),
        pytest.param("a.jsonl", "[1]\n", "row 1: the row", id="no object"),
        pytest.param("a.txt", "a b", "must be a .csv or .jsonl file", id="another kind of file"),
    ],
)  # fmt: skip
def test_a_bad_file_of_cases_is_named(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=message) as error:
        read_pairs(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
