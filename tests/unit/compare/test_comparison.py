"""Two sides compared, from the files of studies made in a moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from tasks.compare.comparison import Disagreement, MetricComparison, compare, differing
from tasks.compare.page import tables, write_comparison
from tasks.compare.side import read_side
from tasks.evaluate.evaluation import Interval
from tasks.evaluate.predictions import NumberPredictions, read, write
from tests.unit.report.made import crowned, made_home, made_study


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = made_home(tmp_path_factory.mktemp("versus"))
    crowned(home, made_study(home, trials=6, failed=(5,)))
    made_study(home, trials=3, failed=(), name="second", seed=5)
    return home


def test_two_studies_differ_in_settings_and_are_paired_by_their_best_trials(home: Home) -> None:
    found = compare(read_side(home, "digits"), read_side(home, "second"))
    assert ("seed", 0, 5) in found.settings
    assert not [key for key, _, _ in found.settings if key == "name"]
    assert {key for key, _, _ in found.best} <= set(found.a.record.study.search.space)
    assert found.unpaired == "" and found.rows is not None and found.rows.rows == 360
    first = found.scores[0]
    assert first.name == "accuracy" and first.a and first.b and first.difference
    assert first.difference.value == pytest.approx(first.b.value - first.a.value)
    assert first.difference.low <= first.difference.value <= first.difference.high


def test_two_trials_are_told_apart_by_what_the_search_set(home: Home) -> None:
    found = compare(read_side(home, "digits/0"), read_side(home, "digits/1"))
    assert found.settings and all(a != b for _, a, b in found.settings)
    assert found.rows is not None
    right = [read(each.predictions) for each in (found.a, found.b)]
    hits = [each.predictions == each.targets for each in right]
    assert found.rows.only_a == (hits[0] & ~hits[1]).sum()
    assert found.rows.only_b == (hits[1] & ~hits[0]).sum()
    gap = (found.rows.only_b - found.rows.only_a) / found.rows.rows
    difference = found.scores[0].difference
    assert difference is not None and difference.value == pytest.approx(gap)


def test_the_page_holds_both_sides_and_no_foreign_markup(home: Home) -> None:
    found = compare(read_side(home, "digits/0"), read_side(home, "second"))
    page = write_comparison(found)
    assert page.name == "compare-digits.0-second.html"
    text = page.read_text()
    for _, rows in tables(found):
        assert all(key in text for key, _, _ in rows)
    assert found.headline in text and '"intervals"' in text and '"course"' in text


def test_other_rows_are_not_paired(home: Home, tmp_path: Path) -> None:
    a = read_side(home, "digits/2")
    said = read(a.predictions)
    moved = type(said)(said.ids + 1, said.targets, said.predictions, said.probabilities)
    b = read_side(home, "digits/3")
    kept = b.predictions.read_bytes()
    try:
        write(b.predictions, moved)
        found = compare(a, b)
        assert found.rows is None and "different rows" in found.unpaired
        assert all(score.difference is None for score in found.scores)
        b.predictions.unlink()
        assert "gone" in compare(a, b).unpaired
    finally:
        b.predictions.write_bytes(kept)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("nothing", "no study 'nothing' was begun", id="no study"),
        pytest.param("digits/99", "has no trial 99", id="no trial"),
        pytest.param("digits/5", "has no result", id="a failed trial"),
        pytest.param("digits/x", "names nothing", id="no number"),
        pytest.param("second@champion", "has no champion", id="no champion"),
    ],
)
def test_a_side_that_is_not_there(home: Home, name: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_side(home, name)


def test_validation_and_test_part_are_not_compared(home: Home) -> None:
    a = read_side(home, "digits/0")
    b = type(a)(**{**vars(a), "part": "test", "name": "digits@champion"})
    with pytest.raises(BadInput, match="on the validation part and digits@champion on the test"):
        compare(a, b)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (1, 9, 0.021484375), (0, 10, 0.001953125), (3, 1, 0.625)],
)
def test_mcnemar_is_exact(only_a: int, only_b: int, p: float) -> None:
    """Values of R's `mcnemar.exact` and of a binomial table."""
    assert Disagreement(100, 50, only_a, only_b).p == pytest.approx(p, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "ends", "better"),
    [
        pytest.param("accuracy", (0.01, 0.03), "B", id="more is better"),
        pytest.param("accuracy", (-0.03, -0.01), "A", id="less is worse"),
        pytest.param("log_loss", (0.01, 0.03), "A", id="more loss is worse"),
        pytest.param("accuracy", (-0.01, 0.03), "", id="within chance"),
    ],
)
def test_who_is_better(name: str, ends: tuple[float, float], better: str) -> None:
    middle = Interval(value=sum(ends) / 2, low=ends[0], high=ends[1])
    assert MetricComparison(name, None, None, middle).better == better


def test_settings_that_only_one_side_has_are_shown() -> None:
    assert differing({"a": 1, "b": 2}, {"a": 1, "c": 3}) == (("b", 2, "–"), ("c", "–", 3))


def test_numbers_and_texts_are_paired_without_right_and_wrong(home: Home) -> None:
    a, b = read_side(home, "digits/2"), read_side(home, "digits/3")
    kept = [each.predictions.read_bytes() for each in (a, b)]
    numbers = [
        NumberPredictions(np.arange(9), np.arange(9.0), np.arange(9.0) + off) for off in (0.5, 1.0)
    ]
    error = {"mae": Interval(value=0.5, low=0.4, high=0.6)}
    try:
        for each, said in zip((a, b), numbers, strict=True):
            write(each.predictions, said)
        found = compare(replace(a, metrics=error), replace(b, metrics=error))
        assert found.rows is None and found.unpaired == ""
        assert found.scores[0].difference == Interval(value=0.5, low=0.5, high=0.5)
        assert found.scores[0].better == "A"  # the smaller error
    finally:
        for each, content in zip((a, b), kept, strict=True):
            each.predictions.write_bytes(content)
