"""One trial as the journal tells it, and what the end of an attempt makes of it."""

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
MAX_FRUITLESS = 2  # attempts that infrastructure or a kill ended without a new epoch
MAX_DEATHS = 5  # deaths of the driver in a row without a new epoch


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial; replaced, never changed."""

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
    """Epochs at which its last attempt was to end, or its next is; None: not yet known."""
    epoch: int = 0
    """The most finished epochs that any attempt reached."""
    halvings: int = 0
    """How often its micro-batch was halved for want of memory."""
    fruitless: int = 0
    """Attempts ended by infrastructure or a kill since the last new epoch."""
    deaths: int = 0
    """Deaths of the driver in a row since the last new epoch."""
    reports: tuple[tuple[int, float], ...] = ()
    """(epochs, objective) at each rung reached, ascending."""
    value: float | None = None
    """Objective of the best epoch, once an attempt has ended with one."""
    seconds: float = 0.0
    """Training seconds, all attempts together."""
    cause: str | None = None
    """Why its last attempt failed; kept while it is tried again."""
    message: str = ""
    started: float | None = None
    """Time of its first attempt."""
    ended: float | None = None
    """Time at which its last attempt ended."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """Further objectives, and what the constraints are about, by name."""
    broken: tuple[str, ...] = ()
    """The constraints that its outcome does not keep."""
    began: float | None = None
    """Time at which its last attempt began."""
    share: int = 1
    """Trials at once on the GPU of its last attempt."""
    alone: bool = False
    """Whether it ran out of memory on a GPU that it shared, and now has one to itself."""

    @property
    def rung(self) -> int:
        """Epochs of the highest rung at which it reported; 0 before the first."""
        return self.reports[-1][0] if self.reports else 0

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it (a paused trial may be promoted)."""
        return self.status in OVER

    def rank(self, sign: float) -> Key | None:
        """Where it stands among the trials, smallest best: the higher rung, then the better
        objective, then the lower number. None without a comparable objective, or where it breaks a
        constraint.

        `sign` is 1 where the objective is to fall, -1 where it is to rise.
        """
        if self.status == "failed" or self.value is None or self.broken:
            return None
        rung = float("inf") if self.status == "complete" else float(self.rung)
        return -rung, sign * self.value, self.number


def begun(trial: Trial, event: Attempt) -> Trial:
    """The trial with an attempt on its way."""
    return replace(
        _progressed(trial, event.epoch),
        status="running",
        attempt=event.attempt,
        until=event.until,
        started=event.time if trial.started is None else trial.started,
        began=event.time,
        share=event.share,
    )


def ended(trial: Trial, event: Finished) -> Trial:
    """The trial after an attempt that ended by itself: over, paused, or queued for another."""
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


def cut_short(trial: Trial, event: Interrupted) -> Trial:
    """The trial after an attempt that somebody ended: queued again, unless drivers keep dying."""
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
    """With the epochs reached; a new one clears what was held against the trial."""
    if epoch <= trial.epoch:
        return trial
    return replace(trial, epoch=epoch, fruitless=0, deaths=0)
