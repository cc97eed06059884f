"""The page says which settings mattered, and what that rests on."""

from __future__ import annotations

from conf.runtime.home import Home
from tasks.report.page import page
from tasks.report.sections.importance import fitted_quantities, shown_importance
from tasks.study.reader import StudyRecord
from tests.unit.report.made import made_study


def test_the_setting_that_the_made_study_depends_on_comes_first(home: Home) -> None:
    made = made_study(home, trials=40, failed=(5, 11))
    objective, time = shown_importance(made, fitted_quantities(made))
    assert objective.of == "accuracy" and objective.bars[0][0] == "lr"
    assert "From a surrogate model of 38 trials" in objective.note
    assert "too little" not in objective.note
    assert time.of == "time of a trial" and "too little" in time.note  # its times are random
    assert time.bars == []


def test_the_page_shows_the_bars(record: StudyRecord) -> None:
    text = page(record)
    assert (
        "Importance of the settings for the accuracy" in text
        and "From a surrogate model of 14 trials" in text
    )


def test_of_a_few_trials_nothing_is_said(home: Home) -> None:
    few = made_study(home, trials=5, failed=())
    assert fitted_quantities(few) == []
    assert "Importance of the settings" not in page(few)
