"""How an attempt at a trial ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Ending = Literal["complete", "paused", "stopped", "failed", "interrupted"]
Cause = Literal[
    "oom",  # memory: the trial goes on with smaller micro-batches
    "infrastructure",  # disk, network, a hung loader or collective: the trial goes on
    "killed",  # its process was ended from outside: the trial goes on
    "nan",  # the loss is no number, or far above its start
    "error",  # the trial raised
    "timeout",  # its seconds are used up
    "user",  # the user stopped the study
    "driver",  # the driver died
]

# Causes after which the same configuration may do better when tried again.
RETRIED: frozenset[str] = frozenset({"oom", "infrastructure", "killed"})


@dataclass(frozen=True)
class Outcome:
    """One attempt's end, as the journal tells it."""

    outcome: Ending
    """`interrupted` is no outcome of the trial: it stays unfinished."""
    cause: Cause | None = None
    """Why, unless it completed or paused."""
    value: float | None = None
    """Objective at the best epoch so far; None before the first and where there is none."""
    seconds: float = 0.0
    """Seconds of this attempt, from the moment it held its slot."""
    epochs: int = 0
    """Epochs that the trial has finished, over all attempts."""
    message: str = ""
    """One short sentence for people."""
    warnings: tuple[str, ...] = ()
    """What was mended on the way."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """What else a study may be after, by name: `latency_ms`, `params`, metrics."""
    refused: bool = False
    """What was given cannot be used: the message says all that there is to say."""


def why(cause: str | None, message: str) -> str:
    """Why an attempt ended, in words: that it raised is told by the message already."""
    return ": ".join(filter(None, (cause if cause != "error" or not message else "", message)))
