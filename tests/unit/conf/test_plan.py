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


def test_the_plan_says_what_else_the_search_is_after_and_when_it_ends() -> None:
    overrides = [
        "evaluate.objective=[accuracy, latency_ms]",
        "evaluate.constraints=[params <= 5000]",
        "search.cost_aware=true",
        "search.learn_from=[wine]",
        "stop={gpu_hours: 3, money: 7, cost_per_gpu_hour: 2}",
    ]
    text = plan_text(load_study("digits", overrides))
    says = [
        "latency_ms, to minimize",
        "keeping params <= 5000",
        "improvement per expected second",
        "learns from wine",
        "after 3 GPU-hours",
        "once 7 is spent, at 2 a GPU-hour",
    ]
    for part in says:
        assert part in text
    regret = plan_text(load_study("digits", ["stop.regret=0.01"]))
    assert "less than 0.01 is left to gain" in regret


def test_a_finite_space_is_counted() -> None:
    keys = [key for key in load_study("digits").search.space if key != "train.batch_size"]
    study = load_study("digits", [f"search.space.{key}=null" for key in keys])
    assert ("space", "1 setting, at most 3 configurations") in plan(study)
