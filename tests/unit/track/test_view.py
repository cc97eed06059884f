"""The view of all trials in MLflow's pages."""

from __future__ import annotations

import json

from tasks.track import view
from tests.unit.track.helpers import a_study


def test_the_view_has_an_axis_for_what_every_trial_has_and_is_sorted_by_worth() -> None:
    space = {
        "train.lr": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "train.optimizer": {"choices": ["adamw", "sgd"]},
        "train.momentum": {"low": 0.1, "high": 0.9, "when": {"train.optimizer": "sgd"}},
    }
    study = a_study(search={"space": space})
    value = view.view(study)
    assert value is not None
    state = json.loads(value)
    parallel, *curves = state["compareRunCharts"]
    assert parallel["selectedParams"] == ["train.lr", "train.optimizer"]
    assert parallel["selectedMetrics"] == ["objective"] and parallel["showAllRuns"]
    assert [each["metricKey"] for each in curves] == ["val/accuracy", "train/loss"]
    assert state["orderByAsc"] is False and state["runsHiddenMode"] == "SHOW_ALL"
    places = {each["uuid"] for each in state["compareRunSections"]}
    assert {each["metricSectionId"] for each in state["compareRunCharts"]} == places
    address, _, query = view.path("7").partition("?")
    assert address == "#/experiments/7/runs" and query.startswith("viewStateShareKey=trials&")
    assert query.endswith(view.TRAINING) and view.file_path("7", "a", "b").endswith(view.TRAINING)


def test_a_space_too_large_for_a_tag_has_no_view() -> None:
    study = a_study()
    wide = study.search.model_copy(
        update={
            "space": {f"model.{'x' * 50}{n}": study.search.space["train.lr"] for n in range(99)}
        }
    )
    assert view.view(study.model_copy(update={"search": wide})) is None
