"""A session of a study: enqueued configurations, messages of attempts, listeners."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conf.runtime.errors import DenseError
from conf.runtime.home import Home
from conf.schema.search import Scalar
from conf.schema.study import Study, TrialConfig
from flows.study.artifacts import report_is_stale
from flows.study.attempts import AttemptMessage, evaluated
from flows.study.listeners import DisplayListener
from flows.study.session import StudySession
from tasks.study.enqueued import submit
from tasks.study.events import Event
from tasks.study.journal import read
from tasks.study.state import State
from tasks.train.engine.outcome import Outcome
from tests.unit.flows.sessions import session_of
from tests.unit.study.examples import asked, attempt, failed
from tests.unit.track.helpers import predict

CONFIG = TrialConfig()


def test_predictions_that_agree_with_the_trial_leave_its_outcome(tmp_path: Path) -> None:
    predict(tmp_path, 0.75)
    reported = Outcome("complete", value=0.75, measures={"latency_ms": 0.2})
    outcome = evaluated(tmp_path, CONFIG, reported)
    assert replace(outcome, measures=reported.measures) == reported
    assert set(outcome.measures) == {"accuracy", "f1_macro", "latency_ms"}


def test_predictions_that_disagree_with_the_trial_fail_it(tmp_path: Path) -> None:
    predict(tmp_path, 0.75)
    outcome = evaluated(tmp_path, CONFIG, Outcome("complete", value=0.8, seconds=3.0))
    assert (outcome.outcome, outcome.cause, outcome.seconds) == ("failed", "error", 3.0)
    assert "0.8" in outcome.message and "0.75" in outcome.message


def test_predictions_that_cannot_be_read_fail_the_trial(tmp_path: Path) -> None:
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    outcome = evaluated(tmp_path, CONFIG, Outcome("complete", value=0.8))
    assert (outcome.outcome, outcome.cause) == ("failed", "error")
    assert "predictions.parquet" in outcome.message


STUDY = Study(
    name="made",
    search={"space": {"train.lr": {"low": 1e-4, "high": 1e-1, "scale": "log"}}},
)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"train.weight_decay": 0.1}, id="not-searched"),
        pytest.param({"train.lr": 0.5}, id="outside"),
        pytest.param({"train.lr": "high"}, id="no-number"),
    ],
)
def test_an_enqueued_configuration_outside_the_space_is_refused_before_the_journal(
    home: Home, values: dict[str, Scalar], capsys: pytest.CaptureFixture[str]
) -> None:
    submit(home.study("made"), values, "a")
    with session_of(home, STUDY) as session:
        session.next_action()
        assert session.state.enqueued == ()
    assert "an enqueued configuration was refused" in capsys.readouterr().out


def test_an_enqueued_configuration_of_the_space_is_recorded(home: Home) -> None:
    submit(home.study("made"), {"train.lr": 0.01}, "a")
    with session_of(home, STUDY) as session:
        session.next_action()
        assert [request.values for request in session.state.enqueued] == [{"train.lr": 0.01}]


def test_the_report_is_stale_until_it_is_newer_than_the_journal(home: Home) -> None:
    page, journal = home.report("made"), home.study("made") / "journal.jsonl"
    for path in (journal, page):
        path.parent.mkdir(parents=True, exist_ok=True)
    journal.touch()
    assert report_is_stale(home, "made")
    page.touch()
    os.utime(journal, ns=(1, 1))
    assert not report_is_stale(home, "made")
    os.utime(page, ns=(0, 0))
    assert report_is_stale(home, "made")


@contextmanager
def running(home: Home) -> Iterator[StudySession]:
    """A session whose trial 0 is in its second attempt."""
    with session_of(home, STUDY) as session:
        killed = failed(0, "killed")
        session.journal.opened.append(asked(0, 1), attempt(0), killed, attempt(0, 2))
        yield session


def test_an_attempt_whose_tasks_ended_in_silence_is_not_waited_for(home: Home) -> None:
    with running(home) as session:
        session.receive(AttemptMessage(0, 1))  # an earlier one, whose outcome was recorded
        with pytest.raises(DenseError, match="tasks of trial 0 ended"):
            session.receive(AttemptMessage(0, 2))
        session.receive(AttemptMessage(0, 2, Outcome("complete", value=0.5)))
        session.receive(AttemptMessage(0, 2))


def test_an_error_of_the_engine_ends_the_run(home: Home) -> None:
    with running(home) as session:
        error = OSError("no such node")
        with pytest.raises(DenseError, match="trial 0 could not be run: no such node"):
            session.receive(AttemptMessage(0, 2, error=error))


def test_a_listener_is_called_once_the_outcome_is_on_disk(home: Home) -> None:
    class Recorder:
        def event(self, event: Event, state: State) -> None:
            events, torn = read(home.study("made") / "journal.jsonl")
            heard.append((event == events[-1], torn, state.trials[0].status))

    heard: list[tuple[bool, int, str]] = []
    with running(home) as session:
        session.journal.opened.subscribe(Recorder())
        session.receive(AttemptMessage(0, 2, Outcome("complete", value=0.5)))
    assert heard == [(True, 0, "complete")]


def test_the_display_shows_an_ended_trial_and_the_next_step_of_the_champion(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(home) as session:
        session.journal.opened.subscribe(DisplayListener(session.display, session.progress))
        warned = Outcome("complete", value=0.5, seconds=2.0, warnings=("a torn line was cut",))
        session.receive(AttemptMessage(0, 2, warned))
        session.journal.champion_step("trained", {})
    assert capsys.readouterr().out.splitlines() == [
        "mended: trial 0: a torn line was cut",
        " 1/16  trial 0         2.0 s  accuracy 0.5000  best so far",
        "scoring it on the test part",
    ]
