from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from conf.schema.study import Study, TrialConfig
from flows.study.attempts import AttemptMessage, evaluated
from flows.study.session import Session
from tasks.train.engine.outcome import Outcome
from tests.unit.track.helpers import predict

CONFIG = TrialConfig()


def test_predictions_that_say_what_the_trial_said_leave_its_outcome(tmp_path: Path) -> None:
    predict(tmp_path, 0.75)
    said = Outcome("complete", value=0.75, measures={"latency_ms": 0.2})
    found = evaluated(tmp_path, CONFIG, said)
    assert replace(found, measures=said.measures) == said
    assert set(found.measures) == {"accuracy", "f1_macro", "latency_ms"}


def test_predictions_that_say_something_else_fail_the_trial(tmp_path: Path) -> None:
    predict(tmp_path, 0.75)
    found = evaluated(tmp_path, CONFIG, Outcome("complete", value=0.8, seconds=3.0))
    assert (found.outcome, found.cause, found.seconds) == ("failed", "error", 3.0)
    assert "0.8" in found.message and "0.75" in found.message


def test_predictions_that_cannot_be_read_fail_the_trial(tmp_path: Path) -> None:
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    found = evaluated(tmp_path, CONFIG, Outcome("complete", value=0.8))
    assert (found.outcome, found.cause) == ("failed", "error")
    assert "predictions.parquet" in found.message


STUDY = Study(
    name="made",
    search={"space": {"train.lr": {"low": 1e-4, "high": 1e-1, "scale": "log"}}},
)


def session_of(home: Home) -> Session:
    """A session that has taken nothing."""
    session = Session.__new__(Session)
    session.home = home
    session.opened = SimpleNamespace(study=STUDY, folder=home.study("made"))  # type: ignore[assignment]
    return session


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"train.weight_decay": 0.1}, id="not-searched"),
        pytest.param({"train.lr": 0.5}, id="outside"),
        pytest.param({"train.lr": "high"}, id="no-number"),
    ],
)
def test_an_enqueued_configuration_outside_the_space_is_refused_before_the_journal(
    tmp_path: Path, values: dict[str, object]
) -> None:
    with pytest.raises(BadInput):
        session_of(Home.open(tmp_path))._check_values(values)  # type: ignore[arg-type]


def test_an_enqueued_configuration_of_the_space_is_taken(tmp_path: Path) -> None:
    session_of(Home.open(tmp_path))._check_values({"train.lr": 0.01})


def test_the_page_is_written_until_it_is_newer_than_the_journal(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    session, page = session_of(home), home.report("made")
    journal = home.study("made") / "journal.jsonl"
    for path in (journal, page):
        path.parent.mkdir(parents=True, exist_ok=True)
    journal.touch()
    assert session.page_is_old
    page.touch()
    os.utime(journal, ns=(1, 1))
    assert not session.page_is_old
    os.utime(page, ns=(0, 0))
    assert session.page_is_old


def test_an_attempt_that_nobody_works_on_any_more_is_not_waited_for(tmp_path: Path) -> None:
    session = session_of(Home.open(tmp_path))
    running = SimpleNamespace(status="running", attempt=2)
    session.opened.state = SimpleNamespace(trials=[running])  # type: ignore[assignment]
    session.receive(AttemptMessage(0, 1))  # an earlier one, whose outcome was recorded
    with pytest.raises(DenseError, match="tasks of trial 0 ended"):
        session.receive(AttemptMessage(0, 2))
    running.status = "complete"
    session.receive(AttemptMessage(0, 2))
