"""Columns of words: which of them become inputs, and what the rules of `clean` do about them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conf.runtime.errors import BadInput
from conf.schema.clean import Clean, Interquartile, NearDuplicates
from conf.schema.data import CategoricalColumns
from data.sources.rows import Rows
from tasks.prepare.cleaning.near_duplicates import near_duplicates
from tasks.prepare.cleaning.privacy import anonymity
from tasks.prepare.cleaning.rules import drop_missing
from tasks.prepare.encoding.categories import as_inputs
from tasks.prepare.encoding.fit import inputs
from tasks.prepare.fitted_cleaning import drop_outliers, fill, fill_values
from tests.unit.prepare.made import table_rows


def categorical_rows(categories: list[str | None], numbers: list[float] | None = None) -> Rows:
    """Rows with one column of words and one of numbers."""
    known = tuple(dict.fromkeys(word for word in categories if word is not None))
    codes = [np.nan if word is None else known.index(word) for word in categories]
    given = np.arange(len(categories)) if numbers is None else numbers
    rows = table_rows(np.stack([given, codes], axis=1), ["a"] * len(categories))
    specs = ({"name": "x", "kind": "number"}, {"name": "city", "kind": "category"})
    return replace(rows, names=("x", "city"), categories={"city": known}, specs=specs)


def fitted(categories: list[str | None], train: int | None = None, **rules: int) -> Rows:
    mask = np.arange(len(categories)) < (len(categories) if train is None else train)
    return as_inputs(categorical_rows(categories), mask, CategoricalColumns(**rules))


def test_the_training_part_alone_says_which_words_there_are() -> None:
    rows = fitted(["Lyon", "Paris"] * 5 + ["Nice"] * 9, train=10)
    assert rows.names == ("x", "city=Lyon", "city=Paris") and rows.categories == {}
    assert rows.levels == {"city": ("Lyon", "Paris")}
    np.testing.assert_array_equal(rows.features()[[0, 1, 12]], [[0, 1, 0], [1, 0, 1], [12, 0, 0]])


@pytest.mark.parametrize(
    ("categories", "levels"),
    [
        pytest.param(["b"] * 5 + ["a"] * 5, ("a", "b"), id="by alphabet"),
        pytest.param(["a"] * 6 + ["b"] * 4, ("a", "(other)"), id="rare"),
        pytest.param(["a"] * 5 + [None] * 5, ("a", "(missing)"), id="missing"),
        pytest.param(["a"] * 6 + [None] * 4, ("a",), id="seldom missing"),
        pytest.param(["(other)"] * 5 + ["a"] * 5 + ["b"], ("(other)", "a"), id="of that name"),
    ],
)
def test_inputs(categories: list[str | None], levels: tuple[str, ...]) -> None:
    assert fitted(categories).levels == {"city": levels}


@pytest.mark.parametrize(
    ("categories", "rules", "message"),
    [
        pytest.param(list("abcdef"), {}, "'city' has another value in every row", id="identifier"),
        pytest.param(list("aabbcc"), {}, "no category of the column 'city' has 5", id="all rare"),
        pytest.param([None, None, None], {}, "no category of", id="all missing"),
        pytest.param(
            list("aabbcc"), {"rare": 1, "most": 2}, "has 3 categories of at least 1", id="many"
        ),
    ],
)
def test_columns_that_are_refused(
    categories: list[str | None], rules: dict[str, int], message: str
) -> None:
    with pytest.raises(BadInput, match=f"{message}.*data.without"):
        fitted(categories, **rules)


def test_rows_without_a_word_are_dropped_or_stay() -> None:
    rows = categorical_rows(["a"] * 5 + [None])
    assert len(drop_missing(rows, Clean())[0]) == 5
    assert len(drop_missing(rows, Clean(missing="keep"))[0]) == 6


@pytest.mark.parametrize("rule", ["mean", "median", "mode", "constant"])
def test_what_is_filled_in_is_no_word(rule: str) -> None:
    rows = fitted(["a"] * 6 + [None] * 3)
    clean = Clean(missing=rule, fill=7.0)
    values = fill_values(rows, np.zeros(9, np.int8), clean)
    assert values is not None and values[1:].tolist() == [0.0]
    np.testing.assert_array_equal(fill(rows, values)[0].features()[6:, 1], [0, 0, 0])


def test_words_are_neither_scaled_nor_outliers() -> None:
    rows = fitted(["a"] * 95 + ["b"] * 5)
    card = inputs(rows, Clean(normalize="robust"))
    assert card.levels == {"city": ("a", "b")} and card.features == 3
    assert (card.shift[1:], card.scale[1:]) == ((0.0, 0.0), (1.0, 1.0))
    parts, report = drop_outliers(
        rows, np.zeros(100, np.int8), np.zeros(100, np.int64), Clean(outliers=Interquartile()), 0
    )
    assert report.rows_out == 100 and (parts == 0).all()


def test_a_table_of_nothing_but_words() -> None:
    rows = categorical_rows(list("ab") * 6)
    alone = table_rows(rows.features()[:, 1:], ["a"] * 12)
    alone = replace(alone, names=("city",), categories=rows.categories, specs=rows.specs[1:])
    made = as_inputs(alone, np.ones(12, bool), CategoricalColumns())
    clean = Clean(missing="median", outliers=Interquartile())
    assert inputs(made, clean).shift == (0.0, 0.0)
    assert fill_values(made, np.zeros(12, np.int8), clean).tolist() == [0.0, 0.0]  # type: ignore[union-attr]
    kept, _ = drop_outliers(made, np.zeros(12, np.int8), np.zeros(12, np.int64), clean, 0)
    assert (kept == 0).all()


def test_two_words_are_never_nearly_the_same() -> None:
    many = [f"w{number}" for number in range(200)]
    rows = categorical_rows([*many, "w7", None, None], [1.0] * 200 + [1.0001, 1.0, 1.0001])
    found = near_duplicates(rows, NearDuplicates(tolerance=0.01))
    assert np.flatnonzero(found >= 0).tolist() == [200, 202] and found[200] == 7


def test_anonymity_counts_words() -> None:
    found = anonymity(categorical_rows(["a"] * 3 + ["b"], [1.0] * 4), ("city", "x"))
    assert found is not None and (found.smallest, found.groups) == (1, 2)
