"""`dense enqueue`: checked before it is written, then taken as it was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from flows.cli.enqueue import enqueue, parsed
from flows.cli.main import app
from flows.study.checked_study import whole_values
from tasks.study.enqueued import collect
from tasks.study.identity import JOURNAL_FILE
from tasks.study.lock import Holder, lock_study
from tasks.study.reader import StudyRecord
from tasks.study.writer import OpenStudy
from tests.unit.report.made import made_study


@pytest.fixture
def record(home: Home) -> StudyRecord:
    """A study of eight trials that has come to its end."""
    return made_study(home, trials=8, failed=())


def inbox(record: StudyRecord) -> list[Path]:
    return sorted((record.folder / "inbox").glob("*"))


def test_a_request_is_taken_by_the_next_driver(record: StudyRecord) -> None:
    said = enqueue("digits", ["train.lr=2e-3", "model.width=40"])
    assert "--more 1" in said
    study = record.study
    with OpenStudy.open(record.home, study, Holder(1, "here", 0.0), 5.0) as opened:
        assert collect(opened, lambda values: whole_values(study, values), 6.0) == ()
        assert opened.state.enqueued[0].values == {"train.lr": 2e-3, "model.width": 40}


def test_requests_are_taken_in_the_order_in_which_they_were_made(record: StudyRecord) -> None:
    for lr in ("2e-3", "1e-2", "5e-3"):
        enqueue("digits", [f"train.lr={lr}"])
    texts = [path.read_text() for path in inbox(record)]
    assert ["0.002" in texts[0], "0.01" in texts[1], "0.005" in texts[2]] == [True] * 3


def test_it_works_beside_a_running_study(record: StudyRecord) -> None:
    journal = (record.folder / JOURNAL_FILE).read_bytes()
    lock = lock_study(record.folder / "lock", Holder(1, "here", 0.0))
    try:
        enqueue("digits", ["train.lr=2e-3"])
    finally:
        lock.close()
    assert len(inbox(record)) == 1
    assert (record.folder / JOURNAL_FILE).read_bytes() == journal  # its driver's alone


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["train.lrr=0.1"], r"did you mean train\.lr"),
        (["train.epochs=3"], "not searched"),
        (["train.lr=0.9"], "outside 0.0001 to 0.1"),
        (["train.lr=high"], "not a number"),
        (["train.lr=.nan"], "nan"),
        (["train.batch_size=33"], "not one of 32"),
        (["model.width=20.5"], "not a whole number"),
        (["train.lr=[0.1]"], "one plain value"),
        (["train.lr"], "no '='"),
        (["train.lr=0.01", "train.lr=0.02"], "twice"),
        ([], "at least one"),
    ],
    ids=lambda given: " ".join(given)[:20] if isinstance(given, list) else None,
)
def test_what_cannot_be_tried_is_refused_and_leaves_nothing(
    record: StudyRecord, settings: list[str], sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        enqueue("digits", settings)
    assert inbox(record) == []


def test_what_was_tried_is_refused_with_the_trial(record: StudyRecord) -> None:
    values = record.trial(3).trial.values
    with pytest.raises(BadInput, match="trial 3 of"):
        enqueue("digits", [f"{key}={value}" for key, value in values.items()])
    assert inbox(record) == []


def test_an_unknown_study_is_bad_input(home: Home) -> None:
    with pytest.raises(BadInput, match="no study 'nobody'"):
        enqueue("nobody", ["train.lr=0.01"])


def test_values_are_plain_yaml() -> None:
    given = ["a.b=1e-3", "a.c=true", "a.d=relu", "a.e=null", "a.f=3"]
    assert parsed(given) == {"a.b": 1e-3, "a.c": True, "a.d": "relu", "a.e": None, "a.f": 3}


def test_the_command_says_what_comes_next(record: StudyRecord) -> None:
    done = CliRunner().invoke(app, ["enqueue", "digits", "train.lr=2e-3"])
    assert done.exit_code == 0 and "dense run digits" in done.output
