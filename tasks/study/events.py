"""The lines of a study's journal: what happened, in the words that the state is folded from.

Every event carries `time` (seconds since the epoch), given from outside: no clock is read here.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, model_validator

from conf.schema.base import Section
from conf.schema.search import Scalar

Number = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]
Outcome = Literal["complete", "paused", "stopped", "failed"]
Cause = Literal["oom", "infrastructure", "killed", "nan", "error", "timeout", "driver"]
Reason = Literal[
    "trials",
    "exhausted",
    "target",
    "plateau",
    "regret",
    "failures",
    "seconds",
    "gpu_hours",
    "money",
    "user",
]


class Suggested(Section):
    """One configuration of a batch."""

    number: Number
    """Its trial's number in the study."""
    values: dict[str, Scalar]
    """Dotted key to value, of every active searched setting."""
    digest: str
    """Identity of the whole configuration."""
    origin: str
    """What proposed it."""


class ForecastRecord(Section):
    """What the model expected before a batch, in units of the objective."""

    gain: Annotated[float, Field(ge=0)]
    """Improvement of the best by the batch."""
    regret: Annotated[float, Field(ge=0)]
    """Improvement that is left anywhere in the space."""


class _Event(Section):
    time: float
    """Seconds since the epoch."""


class Asked(_Event):
    """A batch was proposed; on disk before any of its trials starts."""

    event: Literal["asked"] = "asked"
    batch: Number
    """Number of the batch."""
    first: Number
    """Number of its first trial."""
    suggestions: tuple[Suggested, ...]
    """The trials, numbered on from `first`."""
    state: dict[str, Any] = Field(default_factory=dict)
    """What the next suggestion step is given."""
    exhausted: bool = False
    """The space has no other configuration."""
    dropped: Count = 0
    """Enqueued configurations that were passed over because they had been tried."""
    forecast: ForecastRecord | None = None
    """What to expect of it; None where no model was asked."""
    seconds: Annotated[float, Field(ge=0)] = 0.0
    """That the step took."""


class Attempt(_Event):
    """A process is about to train a trial; on disk before it starts."""

    event: Literal["attempt"] = "attempt"
    number: Number
    attempt: Positive
    """1 for a trial's first attempt."""
    until: Positive
    """Epochs at which the attempt is to end."""
    epoch: Count = 0
    """Finished epochs in the checkpoint that it starts from."""
    halvings: Count = 0
    """How often the micro-batch was halved for want of memory."""
    share: Positive = 1
    """Trials at once on its GPU."""


class Reported(_Event):
    """A trial's objective at a rung."""

    event: Literal["reported"] = "reported"
    number: Number
    rung: Positive
    """Epochs trained."""
    value: float
    """Objective of the best epoch up to there."""


class Promoted(_Event):
    """A paused trial may go on; on disk before its attempt."""

    event: Literal["promoted"] = "promoted"
    number: Number
    until: Positive


class Finished(_Event):
    """How an attempt ended. What that makes of the trial (again, or over) is the state's to say."""

    event: Literal["finished"] = "finished"
    number: Number
    attempt: Positive
    outcome: Outcome
    cause: Cause | None = None
    """Why it failed or was stopped."""
    value: float | None = None
    """Objective of the best epoch."""
    seconds: Seconds = 0.0
    """Training seconds of this attempt."""
    epochs: Count = 0
    """Finished epochs of the trial, all attempts together."""
    message: str = ""
    """For a person, one line."""
    measures: dict[str, float] = Field(default_factory=dict)
    """Further objectives, and what the constraints are about, by name."""
    broken: tuple[str, ...] = ()
    """The constraints that the outcome does not keep."""

    @model_validator(mode="after")
    def _whole(self) -> Finished:
        if self.outcome in ("complete", "paused") and self.value is None:
            raise ValueError(f"a {self.outcome} attempt has a value")
        if self.outcome == "failed" and self.cause is None:
            raise ValueError("a failed attempt has a cause")
        return self


class Interrupted(_Event):
    """An attempt ended by a user's stop or by the driver's death; the trial is unfinished."""

    event: Literal["interrupted"] = "interrupted"
    number: Number
    attempt: Positive
    by: Literal["user", "driver"]
    seconds: Seconds = 0.0
    """Training seconds of this attempt."""
    epochs: Count = 0
    """Finished epochs of the trial, all attempts together."""


class Enqueued(_Event):
    """A person's configuration, to be asked next."""

    event: Literal["enqueued"] = "enqueued"
    values: dict[str, Scalar]
    key: str
    """Tells two requests apart, so that none counts twice."""


class Target(_Event):
    """More trials are wanted than the configuration says."""

    event: Literal["target"] = "target"
    trials: Positive
    """Trials in all."""
    key: str
    """The flow run, so that a retried one raises the target once."""


class Changed(_Event):
    """Settings outside the study's identity that differ from those of the run before."""

    event: Literal["changed"] = "changed"
    changes: dict[str, tuple[Any, Any]]
    """Dotted key to its value before and after."""


class Stopped(_Event):
    """A run of the study came to its end."""

    event: Literal["stopped"] = "stopped"
    reason: Reason


class Champion(_Event):
    """A step of the champion's way: re-test, score, registration."""

    event: Literal["champion"] = "champion"
    step: str
    facts: dict[str, Any] = Field(default_factory=dict)
    """What the step found, as JSON."""


Event = Annotated[
    Asked
    | Attempt
    | Reported
    | Promoted
    | Finished
    | Interrupted
    | Enqueued
    | Target
    | Changed
    | Stopped
    | Champion,
    Field(discriminator="event"),
]
_ANY: TypeAdapter[Event] = TypeAdapter(Event)


def encode(event: Event) -> bytes:
    """The event as one line of JSON, newline included; ValueError when it holds NaN or infinity."""
    # Not pydantic's own JSON, which would turn NaN into null without a word.
    fields = {"event": event.event, **event.model_dump()}
    text = json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def decode(line: bytes) -> Event:
    """The event in a line; ValueError (pydantic's included) when there is none."""
    return _ANY.validate_json(line)
