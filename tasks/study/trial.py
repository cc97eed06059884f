"""One trial as its events describe it, and its transitions at the start and end of an attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from conf.schema.search import Scalar
from tasks.study.events import Attempt, Finished, Interrupted

Status = Literal["queued", "running", "paused", "complete", "stopped", "failed"]
Key = tuple[float, float, int]

OVER: frozenset[Status] = frozenset({"complete", "stopped", "failed"})
MAX_HALVINGS = 3
MAX_FRUITLESS = 2  # attempts without a new epoch that infrastructure or a kill ended
MAX_DEATHS = 5  # consecutive deaths of the driver without a new epoch


@dataclass(frozen=True, slots=True)
class Trial:
    """An immutable trial: every transition returns a copy."""

    number: int
    batch: int
    values: Mapping[str, Scalar]
    """Dotted key to value, of every active searched setting."""
    digest: str
    origin: str
    asked: float
    """Time at which it was asked."""
    status: Status = "queued"
    attempt: int = 0
    """Attempts begun."""
    until: int | None = None
    """Budget in epochs of its last attempt, or of the next once it is promoted."""
    epoch: int = 0
    """Finished epochs, the most that any attempt reached."""
    halvings: int = 0
    """How often its micro-batch was halved after it ran out of memory."""
    fruitless: int = 0
    """Attempts ended by infrastructure or a kill since the last new epoch."""
    deaths: int = 0
    """Consecutive deaths of the driver since the last new epoch."""
    reports: tuple[tuple[int, float], ...] = ()
    """(epochs, objective) at each rung that it reached, ascending."""
    value: float | None = None
    """Objective of the best epoch; None before an attempt ended with one."""
    seconds: float = 0.0
    """Training seconds, summed over all attempts."""
    cause: str | None = None
    """Why its last attempt failed; it stays while the trial is tried again."""
    message: str = ""
    started: float | None = None
    """Time of its first attempt."""
    ended: float | None = None
    """Time at which its last attempt ended."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """Further objectives and constrained quantities, by name."""
    broken: tuple[str, ...] = ()
    """The constraints that its outcome violates."""
    began: float | None = None
    """Time at which its last attempt began."""
    share: int = 1
    """Trials at once on the GPU of its last attempt."""
    alone: bool = False
    """Whether it ran out of memory on a shared GPU, and now gets a whole one."""

    @property
    def rung(self) -> int:
        """Epochs of the highest rung at which it reported; 0 before the first."""
        return self.reports[-1][0] if self.reports else 0

    @property
    def over(self) -> bool:
        """Whether it has ended for good; a paused trial may be promoted."""
        return self.status in OVER

    def rank(self, sign: float) -> Key | None:
        """Sort key among the trials, best first: higher rung, better objective, lower number.

        Args:
            sign: 1 where the objective is minimised, -1 where it is maximised.

        Returns:
            (-rung, loss, number), or None for a trial that failed, has no objective or violates a
            constraint.
        """
        if self.status == "failed" or self.value is None or self.broken:
            return None
        rung = float("inf") if self.status == "complete" else float(self.rung)
        return -rung, sign * self.value, self.number


def after_start(trial: Trial, event: Attempt) -> Trial:
    """The trial once an attempt has started."""
    return replace(
        _progressed(trial, event.epoch),
        status="running",
        attempt=event.attempt,
        until=event.until,
        started=event.time if trial.started is None else trial.started,
        began=event.time,
        share=event.share,
    )


def after_end(trial: Trial, event: Finished) -> Trial:
    """The trial after an attempt that ended by itself: over, paused, or queued for another.

    Out of memory halves the micro-batch (or leaves a shared GPU first); infrastructure and kills
    are retried while attempts bring new epochs; every other cause fails the trial.
    """
    fruitless = 0 if event.epochs > trial.epoch else trial.fruitless + 1
    trial = replace(
        _progressed(trial, event.epochs),
        seconds=trial.seconds + event.seconds,
        ended=event.time,
        deaths=0,
        cause=event.cause,
        message=event.message,
        measures=event.measures,
        broken=event.broken,
    )
    if event.outcome != "failed":
        value = trial.value if event.value is None else event.value
        return replace(trial, status=event.outcome, value=value)
    if event.cause == "oom" and trial.share > 1:
        return replace(trial, status="queued", alone=True)
    if event.cause == "oom" and trial.halvings < MAX_HALVINGS:
        return replace(trial, status="queued", halvings=trial.halvings + 1)
    if event.cause in ("infrastructure", "killed") and fruitless < MAX_FRUITLESS:
        return replace(trial, status="queued", fruitless=fruitless)
    return replace(trial, status="failed")


def after_interruption(trial: Trial, event: Interrupted) -> Trial:
    """The trial after an interrupted attempt: queued again, unless drivers keep dying.

    A trial that kills its driver each time would otherwise never end.
    """
    deaths = 0 if event.by == "user" or event.epochs > trial.epoch else trial.deaths + 1
    trial = replace(
        _progressed(trial, event.epochs),
        seconds=trial.seconds + event.seconds,
        ended=event.time,
        status="queued",
    )
    if deaths < MAX_DEATHS:
        return replace(trial, deaths=deaths)
    message = f"the driver died {MAX_DEATHS} times in a row without a new epoch"
    return replace(trial, status="failed", cause="driver", message=message)


def _progressed(trial: Trial, epoch: int) -> Trial:
    """The trial at an epoch; a new epoch resets the counts of fruitless attempts and deaths."""
    if epoch <= trial.epoch:
        return trial
    return replace(trial, epoch=epoch, fruitless=0, deaths=0)
