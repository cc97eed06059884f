"""The queue of the writer thread, and what it takes for an absence of MLflow."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tasks.track.pending import ArtifactJob, Job, ParentJob, Pending, TrialJob
from tasks.track.store import is_away

PAGE = ArtifactJob(Path("page.html"))


def taken(pending: Pending) -> list[Job]:
    jobs = []
    while (job := pending.take(0)) is not None:
        jobs.append(job)
    return jobs


def test_the_parent_is_first_while_the_study_runs() -> None:
    pending = Pending([0, 1])
    pending.add(PAGE)
    assert taken(pending) == [ParentJob(), TrialJob(0), TrialJob(1), PAGE]


def test_the_parent_is_last_at_the_end() -> None:
    pending = Pending([0])
    taken(pending)
    pending.add(PAGE)
    pending.close([4, 5])
    assert taken(pending) == [TrialJob(4), TrialJob(5), PAGE, ParentJob()]
    assert len(pending) == 0


def test_a_trial_stands_once_and_remembers_that_it_is_written_again() -> None:
    pending = Pending()
    pending.add(TrialJob(3, again=True))
    pending.add(TrialJob(3))
    assert len(pending) == 2  # the trial and the parent
    pending.take(0)
    job = pending.take(0)
    assert job == TrialJob(3)
    assert isinstance(job, TrialJob)
    assert job.again


def test_news_wake_whoever_waits() -> None:
    pending = Pending()
    pending.take(0)
    threading.Timer(0.05, pending.add, [TrialJob(7)]).start()
    assert pending.take(30) == TrialJob(7)


def test_closing_wakes_whoever_waits() -> None:
    pending = Pending()
    pending.take(0)
    threading.Timer(0.05, pending.close, [()]).start()
    assert pending.take(30) == ParentJob()
    assert pending.take(30) is None


class Coded(Exception):
    """As MLflow's errors: with a code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.error_code = code


@pytest.mark.parametrize(
    ("error", "away"),
    [
        pytest.param(Coded("INTERNAL_ERROR"), True, id="no-connection"),
        pytest.param(Coded("TEMPORARILY_UNAVAILABLE"), True, id="locked-database"),
        pytest.param(Coded("PERMISSION_DENIED"), True, id="expired-login"),
        pytest.param(Coded("INVALID_PARAMETER_VALUE"), False, id="bad-value"),
        pytest.param(Coded("RESOURCE_DOES_NOT_EXIST"), False, id="deleted"),
        pytest.param(ConnectionResetError(), True, id="socket"),
        pytest.param(FileNotFoundError("page.html"), False, id="missing-file"),
        pytest.param(ValueError("nonsense"), False, id="ours"),
    ],
)
def test_what_may_pass_is_told_from_what_will_not(error: Exception, away: bool) -> None:
    assert is_away(error) is away
