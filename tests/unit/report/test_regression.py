"""The page of a regression over several model families."""

from __future__ import annotations

import numpy as np

from conf.runtime.home import Home
from tasks.evaluate.predictions import NumberPredictions
from tasks.report.figures.regression import MOST_POINTS, regression_figures
from tasks.report.leaderboard import leaderboard, settings
from tasks.report.page import page
from tasks.report.sections.board import MOST_SETTINGS, board_section
from tests.unit.report.made import made_regression


def test_predictions_are_drawn_against_true_values_with_their_residuals() -> None:
    predictions = NumberPredictions(np.arange(3), np.array([1.0, 2, 3]), np.array([1.5, 2, 2]))
    figures = regression_figures(predictions)
    line, points = figures["predicted"]["data"]
    assert (line["x"], line["y"]) == ([1, 3], [1, 3])
    assert (points["x"], points["y"]) == ([1, 2, 3], [1.5, 2, 2])
    line, points = figures["residuals"]["data"]
    assert (line["y"], points["y"]) == ([0, 0], [0.5, 0, -1])


def test_points_are_sampled_where_rows_are_many() -> None:
    many = np.arange(3 * MOST_POINTS + 1, dtype=float)
    figures = regression_figures(NumberPredictions(many, many, many))
    assert len(figures["predicted"]["data"][1]["x"]) <= MOST_POINTS


def test_the_page_of_a_regression_has_both_figures_and_a_narrow_leaderboard(home: Home) -> None:
    record = made_regression(home)
    text = page(record)
    assert 'id="predicted"' in text and 'id="residuals"' in text
    board = board_section(record, list(leaderboard(record)))
    assert board.others and len(board.settings) <= MOST_SETTINGS < len(settings(record))
    space = record.study.search.space
    for line in board.rows:
        named = set(line.row.values) - {key for key, _ in board.settings}
        assert len(line.others.split(", ")) == len(named)
        assert all(space[key].when for key in named)
    assert len(board.rows[0].value.replace(".", "")) == 5  # five significant digits
