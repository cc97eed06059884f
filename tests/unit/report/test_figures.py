"""Figures are valid Plotly and say what they should."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.schema.search import Choices, Range
from tasks.report.figures import base
from tasks.report.figures.parallel_coordinates import bent, parallel, place
from tasks.report.leaderboard import LeaderboardRow, leaderboard
from tasks.report.view import Surroundings, view
from tasks.study.reader import StudyRecord
from tasks.train.folder import MetricLine
from tests.cards import as_card
from tests.unit.report.made import CARD

values = st.floats(-1e6, 1e6, allow_nan=False)


def coloured(figure: Any) -> Any:
    """A figure with a colour for each name."""
    text = json.dumps(figure)
    for name in base.COLOURS:
        text = text.replace(f'"${name}"', '"#123456"')
    return json.loads(text)


def row(trial: int, value: float | None, **settings: Any) -> LeaderboardRow:
    """A row of the leaderboard."""
    status = "complete" if value is not None else "failed"
    place = trial + 1 if value is not None else None
    return LeaderboardRow(
        place, trial, value, None, None, status, None, "", 1, 1.0, "bayes", settings
    )


def test_every_figure_is_valid_plotly(record: StudyRecord) -> None:
    found = view(record, Surroundings(card=as_card(CARD))).figures
    assert found.keys() == {"history", "curves", "parallel", "confusion", "reliability"}
    for figure in found.values():
        go.Figure(coloured(figure))  # refuses unknown properties and wrong values


def test_no_colour_is_left_unknown(record: StudyRecord) -> None:
    text = json.dumps(view(record, Surroundings(card=as_card(CARD))).figures)
    assert "$" not in json.dumps(coloured(json.loads(text)))


def test_the_history_has_every_trial_and_failure(record: StudyRecord) -> None:
    rows = list(leaderboard(record))
    line, points, failed = base.history(rows, "accuracy", -1)["data"]
    assert len(points["x"]) == 14
    assert failed["x"] == [5, 11]
    assert line["y"] == sorted(line["y"])
    assert line["x"][-1] == 15


@given(st.lists(values, min_size=1, max_size=30), st.sampled_from([1.0, -1.0]))
def test_the_best_so_far_never_gets_worse(found: list[float], sign: float) -> None:
    best = base.best_so_far(found, sign)
    assert best[-1] == sign * min(sign * value for value in found)
    assert all(sign * b <= sign * a for a, b in pairwise(best))


@given(st.lists(values, max_size=30), st.sampled_from([1.0, -1.0]))
def test_the_readable_range_holds_the_best_and_is_no_point(found: list[float], sign: float) -> None:
    low, high = base.readable_range(found, sign)
    assert low < high
    if found:
        assert low <= sign * min(sign * value for value in found) <= high


def test_a_diverged_trial_does_not_press_the_others_together() -> None:
    low, high = base.readable_range([0.97, 0.98, 0.975, 0.985, 0.99, 0.1], -1)
    assert low > 0.9
    assert high == 0.99


def test_a_diverged_trial_is_drawn_at_the_edge() -> None:
    rows = [row(i, value) for i, value in enumerate([0.97, 0.98, 0.975, 0.985, 0.99, 0.1])]
    _, points = base.history(rows, "accuracy", -1)["data"]
    assert points["marker"]["symbol"][-1] == "triangle-down"
    assert points["marker"]["symbol"][:-1] == ["circle"] * 5


def test_a_study_of_one_trial_can_be_drawn() -> None:
    go.Figure(coloured(base.history([row(0, 0.5)], "accuracy", -1)))
    go.Figure(coloured(parallel([row(0, 0.5)], {}, "accuracy", -1)))


@pytest.mark.parametrize(("epochs", "tick"), [(4, 1), (40, None)], ids=["few", "many"])
def test_there_is_no_half_an_epoch(epochs: int, tick: int | None) -> None:
    line = {"step": 1, "time": 0, "seconds": 1, "attempt": 1, "metrics": {"val/accuracy": 0.5}}
    found = [MetricLine.model_validate({"epoch": each + 1, **line}) for each in range(epochs)]
    assert base.curves({0: found}, "accuracy", 0, -1)["layout"]["xaxis"]["dtick"] == tick


def test_a_large_confusion_matrix_has_no_text() -> None:
    matrix = [[int(i == j) for j in range(40)] for i in range(40)]
    assert "annotations" not in base.confusion(matrix, [str(i) for i in range(40)])["layout"]


@pytest.mark.parametrize(
    ("dimension", "value", "position"),
    [
        (Range(low=0, high=10), 5, 0.5),
        (Range(low=1e-4, high=1e-2, scale="log"), 1e-3, 0.5),
        (Range(low=0.1, high=0.9, scale="logit"), 0.5, 0.5),
        (Range(low=3, high=3), 3, 0.5),
        (Range(low=0, high=1), 2, None),
        (Choices(choices=("a", "b")), "b", 0.75),
        (Choices(choices=(1, True)), True, 0.75),
        (Choices(choices=("a", "b")), "c", None),
    ],
)
def test_where_a_value_lies_on_its_axis(dimension: Any, value: Any, position: float | None) -> None:
    found = place(dimension, value)
    assert found == (None if position is None else pytest.approx(position))


def test_inactive_settings_are_passed_over() -> None:
    space = {"a.b": Range(low=0, high=1), "a.c": Range(low=0, high=1)}
    rows = [row(0, 0.9, **{"a.b": 0.1, "a.c": 0.2}), row(1, 0.8, **{"a.b": 0.3})]
    lines = parallel(rows, space, "accuracy", -1)["data"]
    assert [line["x"][-1] for line in lines] == [2, 2]
    assert 1 in lines[1]["x"] and 0.2 in lines[1]["y"]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_a_bent_line_meets_its_points_and_stays_between_them(heights: list[float]) -> None:
    xs, ys = bent(list(enumerate(heights)))
    assert xs == sorted(xs)
    for x, y in enumerate(heights):
        assert ys[xs.index(x)] == pytest.approx(y, abs=1e-4)
    assert min(heights) - 1e-4 <= min(ys) and max(ys) <= max(heights) + 1e-4
