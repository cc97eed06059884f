"""The command that repeats a study is exact."""

from __future__ import annotations

import shlex

import pytest

from conf.load import load_study
from tasks.report.repeat import command, differences, versions

SPACE = "search.space."


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["search.trials=24", "seed=3"],
        ["train.lr=2e-5", SPACE + "train.lr.low=1e-5"],
        [SPACE + "train.lr=null", "augment.rotate.p=1"],
        ["augment.shift={p: 0.25}", SPACE + "augment.shift.p={low: 0, high: 1}"],
        [SPACE + "train.batch_size={low: 8, high: 128, type: int, scale: log}"],
        [SPACE + "model.width={choices: [16, 32]}", "stop.failures=null", "stop.target=0.99"],
        ["evaluate={objective: f1_macro, metrics: [f1_macro, log_loss]}"],
        ["split={by: random, validation: 0.1}"],
    ],
    ids=lambda overrides: " ".join(overrides) or "as written",
)
def test_it_gives_the_same_study(overrides: list[str]) -> None:
    study = load_study("digits", overrides)
    dense, run, name, *again = shlex.split(command(study))
    assert (dense, run) == ("dense", "run")
    assert load_study(name, again) == study


def test_only_what_differs_is_named() -> None:
    study = load_study("digits", ["search.trials=24"])
    assert differences(load_study("digits"), study) == ["search.trials=24"]


def test_a_study_that_no_file_names_is_run_from_its_own() -> None:
    assert command(load_study("digits", ["name=other"])) == "dense run other.yaml"


def test_the_versions_that_matter_are_there() -> None:
    assert {"python", "dense", "torch", "numpy"} <= versions().keys()
