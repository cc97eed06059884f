"""The plan that `dense check` prints."""

from __future__ import annotations

from pathlib import Path

from conf.home import Home
from conf.load import load_study
from conf.plan import plan, plan_text


def test_the_plan_says_what_would_be_done_and_written() -> None:
    study = load_study("digits", ["stop.target=0.99", "search.batch_size=3"])
    text = plan_text(study, Home(Path("/somewhere"), "id"))
    says = ["16 trials", "12 epochs", "batch size 3", "accuracy 0.99", "6 settings",
            "0.0001 to 0.1, log scale", "(trial 0: 0.001)", "/somewhere/trials/digits"]  # fmt: skip
    for part in says:
        assert part in text


def test_a_finite_space_is_counted() -> None:
    keys = [key for key in load_study("digits").search.space if key != "train.batch_size"]
    study = load_study("digits", [f"search.space.{key}=null" for key in keys])
    assert ("space", "1 setting, at most 3 configurations") in plan(study)
