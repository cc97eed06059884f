"""Journals to test with."""

from __future__ import annotations

from typing import Any

from conf.schema.study import Study
from tasks.study.events import (
    Asked,
    Attempt,
    Enqueued,
    Event,
    Finished,
    Interrupted,
    Promoted,
    Reported,
    Stopped,
    Suggested,
    Target,
)
from tasks.study.lock import Holder
from tasks.study.replay import fold
from tasks.study.state import State
from tasks.study.trial import Status, Trial

ME = Holder(1, "here", 0.0)
STUDY = Study(name="digits", search={"space": {"train.lr": {"low": 1e-4, "high": 0.1}}})


def other(**changes: object) -> Study:
    """The study with some sections replaced."""
    return STUDY.model_copy(update=changes)


def asked(first: int, count: int, *, batch: int = 0, **more: object) -> Asked:
    """A batch."""
    suggestions = tuple(
        Suggested(number=n, values={"train.lr": n / 100}, digest=f"{n:064x}", origin="model")
        for n in range(first, first + count)
    )
    return Asked(batch=batch, first=first, suggestions=suggestions, time=1.0, **more)


def attempt(number: int, attempt: int = 1, *, until: int = 9, epoch: int = 0) -> Attempt:
    """A start."""
    return Attempt(number=number, attempt=attempt, until=until, epoch=epoch, time=2.0)


def complete(number: int, value: float, attempt: int = 1, epochs: int = 9) -> Finished:
    """A good end."""
    return Finished(
        number=number,
        attempt=attempt,
        outcome="complete",
        value=value,
        seconds=3.0,
        epochs=epochs,
        time=3.0,
    )


def paused(number: int, rung: int, value: float, attempt: int = 1) -> tuple[Reported, Finished]:
    """A stop at a rung."""
    return (
        Reported(number=number, rung=rung, value=value, time=3.0),
        Finished(
            number=number, attempt=attempt, outcome="paused", value=value, epochs=rung, time=3.0
        ),
    )


def failed(number: int, cause: str, attempt: int = 1, epochs: int = 0) -> Finished:
    """A bad end."""
    return Finished.model_validate(
        {
            "number": number,
            "attempt": attempt,
            "outcome": "failed",
            "cause": cause,
            "epochs": epochs,
            "time": 3.0,
        }
    )


def interrupted(number: int, by: str, attempt: int = 1, epochs: int = 0) -> Interrupted:
    """An end that somebody else brought about."""
    return Interrupted.model_validate(
        {"number": number, "attempt": attempt, "by": by, "epochs": epochs, "time": 3.0}
    )


def promoted(number: int, until: int) -> Promoted:
    """A trial may go on."""
    return Promoted(number=number, until=until, time=4.0)


def target(trials: int, key: str = "run-1") -> Target:
    """More is wanted."""
    return Target(trials=trials, key=key, time=5.0)


def stopped(reason: str) -> Stopped:
    """The end of a run."""
    return Stopped.model_validate({"reason": reason, "time": 6.0})


def enqueued(key: str, lr: float = 0.5) -> Enqueued:
    """A person's idea."""
    return Enqueued(values={"train.lr": lr}, key=key, time=0.5)


def trial_of(
    number: int, status: Status, value: float | None, seconds: float, **fields: Any
) -> Trial:
    """A trial after the end of an attempt."""
    fields = {"values": {}, **fields}
    return Trial(
        number=number,
        batch=0,
        digest=f"{number:064x}",
        origin="model",
        asked=1.0,
        status=status,
        value=value,
        seconds=seconds,
        **fields,
    )


def folded(*events: Event) -> State:
    """The state of a study that maximises."""
    return fold(events, "maximize")
