"""What an attempt left behind, read as its outcome."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Literal

from conf.runtime.errors import DenseError
from tasks.train.engine import locks
from tasks.train.engine.failures import classify_status
from tasks.train.engine.outcome import Cause, Outcome
from tasks.train.folder import TrialFolder, file_fact
from tasks.train.spec import Result

SentBy = Literal["timeout", "hang", "user"]


@dataclass(frozen=True)
class ProcessEnd:
    """How a trial's process ended, as the driver saw it."""

    seconds: float
    """Since the trial held its slot."""
    status: int | None = None
    """Its wait status; None when the trial server died with it."""
    sent: SentBy | None = None
    """Why the driver ended it, if it did."""
    memory_was_short: bool = False


def outcome_of(folder: TrialFolder, attempt: int, until: int, ended: ProcessEnd) -> Outcome:
    """The outcome of an attempt whose process is gone."""
    result = Result.read(folder.path)
    if result is not None and result.answers(attempt, until):
        return of_result(result)
    epochs = folder.finished_epochs()
    if ended.sent == "user":
        return Outcome("interrupted", "user", None, ended.seconds, epochs, "stopped by the user")
    cause, message = _cause(ended)
    return Outcome("failed", cause, None, ended.seconds, epochs, message)


def settle(folder: TrialFolder, attempt: int, until: int, *, wait: float = 30.0) -> Outcome:
    """The outcome of an attempt whose driver died before it could say how it ended.

    Whatever still runs for it is ended first, and its lock waited for. An attempt without a result
    is `interrupted` by `driver`; so is one whose result vouches for files that are gone or damaged:
    the next attempt writes them again.

    Raises:
        TimeoutError: its lock is still held after `wait` seconds.
    """
    if folder.lock.exists():
        locks.end_holder(folder.lock, wait=wait)
    result = Result.read(folder.path)
    if result is not None and result.answers(attempt, until) and is_whole(folder, result):
        return of_result(result)
    seconds, epochs = seconds_of(folder, attempt), folder.finished_epochs()
    return Outcome("interrupted", "driver", None, seconds, epochs, "its driver died")


def of_result(result: Result) -> Outcome:
    """A result as an outcome; what was mended stands in its message unless something failed."""
    return Outcome(
        result.outcome,
        result.cause,
        result.value,
        result.seconds,
        result.epochs,
        result.message or "; ".join(result.warnings),
        result.warnings,
        measures_of(result),
        result.refused,
    )


def measures_of(result: Result) -> dict[str, float]:
    """What a result says of the model beside its objective."""
    if result.latency_ms is None:
        return {}
    return {"latency_ms": result.latency_ms, "params": float(result.params_total)}


def is_whole(folder: TrialFolder, result: Result) -> bool:
    """Whether the files that a result vouches for are those that were written."""
    try:
        return all(file_fact(folder.path / name) == fact for name, fact in result.files.items())
    except OSError:
        return False


def seconds_of(folder: TrialFolder, attempt: int) -> float:
    """Seconds of the epochs that an attempt finished."""
    try:
        return sum(line.seconds for line in folder.read_metrics() if line.attempt == attempt)
    except (OSError, DenseError):
        return 0.0


def _cause(ended: ProcessEnd) -> tuple[Cause, str]:
    if ended.sent == "timeout":
        return "timeout", f"ended after {ended.seconds:.0f} s (resources.trial_seconds)"
    if ended.sent == "hang":
        return (
            "infrastructure",
            f"ended after {ended.seconds:.0f} s without a sign of life (resources.hang_seconds)",
        )
    if ended.status is None:
        return "killed", "the trial server died"
    number = os.WTERMSIG(ended.status) if os.WIFSIGNALED(ended.status) else None
    cause = classify_status(number, memory_was_short=ended.memory_was_short)
    if number is None:
        return (
            cause,
            f"exited with status {os.WEXITSTATUS(ended.status)}; see log.txt",
        )
    name = signal.Signals(number).name
    return cause, f"killed by {name}" + (" with memory near its limit" if cause == "oom" else "")
