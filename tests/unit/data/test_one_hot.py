"""Columns of words as inputs: the same for the prepared data and for the model that is served."""

from __future__ import annotations

import math
import runpy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder

from data.encoding import one_hot
from data.encoding.one_hot import GAP, OTHER, decoded, encoded, input_names, number_names, word_of

CITIES = {"city": ["Lyon", "Paris"]}
NAMES = input_names(["x"], CITIES)


def test_names() -> None:
    assert NAMES == ["x", "city=Lyon", "city=Paris"]
    assert number_names(NAMES, CITIES) == ["x"] and number_names(["a", "b"], {}) == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "value", "wanted"),
    [
        pytest.param(["Lyon", "Paris"], " Paris ", [0, 1], id="spaces"),
        pytest.param(["Lyon", "Paris"], "Nice", [0, 0], id="unknown"),
        pytest.param(["Lyon", OTHER], "Nice", [0, 1], id="unknown, as the rare ones"),
        pytest.param(["Lyon", OTHER], None, [math.nan] * 2, id="missing"),
        pytest.param(["Lyon", OTHER], "N/A", [math.nan] * 2, id="missing by name"),
        pytest.param(["Lyon", GAP], math.nan, [0, 1], id="missing, an input of its own"),
        pytest.param(["Lyon", GAP], pd.NA, [0, 1], id="missing of pandas"),
        pytest.param(["69001", "7"], 7.0, [0, 1], id="a whole number"),
        pytest.param(["true", "x"], np.True_, [1, 0], id="a truth"),
    ],
)
def test_a_word(words: list[str], value: object, wanted: list[float]) -> None:
    found = encoded({"city": [value]}, input_names([], {"city": words}), {"city": words})
    np.testing.assert_array_equal(found, [wanted])


def test_as_scikit_learn_has_it() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.choice(list("xyz"), 50), "b": random.choice(list("uv"), 50)})
    theirs = OneHotEncoder(sparse_output=False).fit(frame)
    known = {name: list(words) for name, words in zip("ab", theirs.categories_, strict=True)}
    ours = encoded(frame, input_names([], known), known)
    np.testing.assert_array_equal(ours, theirs.transform(frame))


@pytest.mark.parametrize("value", ["much", [1], object()], ids=["word", "list", "object"])
def test_a_number_that_is_none(value: object) -> None:
    with pytest.raises(ValueError, match="'x' holds something that is no number"):
        encoded({"x": [value], "city": ["Lyon"]}, NAMES, CITIES)


word = st.sampled_from(["Lyon", "Paris", "Nice", OTHER, GAP, "a=b", "x"])
known = st.lists(word, min_size=1, max_size=5, unique=True)
value = st.one_of(st.none(), word, st.text(max_size=3))


@given(st.dictionaries(st.sampled_from("abc"), known, min_size=1), st.data())
def test_what_is_read_back_is_the_same_to_the_model_in_whatever_order(
    fitted: dict[str, list[str]], data: st.DataObject
) -> None:
    rows = data.draw(st.integers(1, 6))
    columns = {
        name: data.draw(st.lists(value, min_size=rows, max_size=rows)) for name in fitted
    } | {"x": data.draw(st.lists(st.floats(allow_infinity=False), min_size=rows, max_size=rows))}
    names = input_names(["x"], fitted)
    matrix = encoded(columns, names, fitted)
    turned = dict(reversed(fitted.items()))
    assert names == input_names(["x"], turned)
    again = encoded(decoded(matrix, names, turned), names, turned)
    np.testing.assert_array_equal(matrix, again)


@given(st.text())
def test_a_word_is_its_own_word(text: str) -> None:
    found = word_of(text)
    assert found is None or (word_of(found) == found and found == text.strip())


def test_it_stands_alone() -> None:
    alone = runpy.run_path(one_hot.__file__)
    columns = {"x": [1, None], "city": ["Paris", "Rome"]}
    wanted = encoded(columns, NAMES, CITIES)
    np.testing.assert_array_equal(alone["encoded"](columns, NAMES, CITIES), wanted)


@pytest.mark.parametrize(
    "values",
    [[1, None, 3], pd.Series([1, pd.NA, 3], dtype="Int64"), ["1", "", " 3"], [1, math.nan, 3.0]],
    ids=["None", "nullable", "text", "NaN"],
)
def test_numbers_however_they_come(values: object) -> None:
    found = encoded({"x": values, "city": ["Lyon"] * 3}, NAMES, CITIES)
    np.testing.assert_array_equal(found[:, 0], [1, math.nan, 3])
