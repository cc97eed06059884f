"""The state of a study, folded from its journal by `replay.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tasks.study import events
from tasks.study.persistent_collections import SortedSet, Vector
from tasks.study.trial import Key, Trial

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Rung:
    """The trials that reported at one rung of a bracket, best first: (loss, number)."""

    reported: SortedSet[tuple[float, int]] = field(default_factory=SortedSet)
    waiting: SortedSet[tuple[float, int]] = field(default_factory=SortedSet)
    """The trials that are paused at this rung."""


@dataclass(frozen=True)
class State:
    """An immutable state of a study; each event makes a new one."""

    direction: Direction
    """Of the objective."""
    trials: Vector[Trial] = field(default_factory=Vector)
    """Every trial asked, by number."""
    batches: int = 0
    """Batches asked."""
    batch_first: int = 0
    """Number of the last batch's first trial."""
    memory: Mapping[str, Any] = field(default_factory=dict)
    """What the next suggestion step is given: the `state` of the last `asked` line."""
    exhausted: bool = False
    """The space has no other configuration."""
    ready: SortedSet[tuple[int, int]] = field(default_factory=SortedSet)
    """Queued trials as (-rung, number): those that go on first, then in number order."""
    running: SortedSet[int] = field(default_factory=SortedSet)
    """Trials whose last attempt has not ended."""
    ranked: SortedSet[Key] = field(default_factory=SortedSet)
    """The leaderboard: trials with an objective, best first (`Trial.rank`)."""
    rungs: Mapping[tuple[int, int], Rung] = field(default_factory=dict)
    """By the epochs of their trials' first rung (the bracket), and of this one."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Trials by status."""
    seconds: float = 0.0
    """Training seconds of all attempts that have ended."""
    forecasts: tuple[events.ForecastRecord, ...] = ()
    """The last two forecasts since the target was last raised, oldest first."""
    stale: int = 0
    """Consecutive ended trials without a new incumbent."""
    plateau_from: int = 0
    """Trials asked before the target was last raised; a plateau counts from there."""
    best_before_target: Key | None = None
    """Rank of the incumbent at that moment: a raised target asks for a better one."""
    failures: int = 0
    """Trials failed since the study last stopped."""
    first_failure: int | None = None
    """Number of the first of them."""
    target: int | None = None
    """Trials in all, where `--more` asked for more than the configuration."""
    enqueued: tuple[events.Enqueued, ...] = ()
    """Enqueued configurations that were not asked yet, oldest first."""
    keys: frozenset[str] = frozenset()
    """Keys of all `enqueued` and `target` lines."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Settings that differ from `study.json`: dotted key to value."""
    stopped: events.Reason | None = None
    """Why the last run ended; None while one is running."""
    champion: tuple[events.Champion, ...] = ()
    """Steps of the champion, in order."""
    time: float | None = None
    """Of the last event."""

    @property
    def asked(self) -> int:
        """Number of trials asked; the next has this number."""
        return len(self.trials)

    @property
    def sign(self) -> float:
        """Factor that turns an objective into a loss, 1 or -1."""
        return 1.0 if self.direction == "minimize" else -1.0

    @property
    def best(self) -> Trial | None:
        """The incumbent: the best trial so far; None before one has an objective."""
        return None if self.ranked.first is None else self.trials[self.ranked.first[2]]

    def replaced(self, **fields: Any) -> State:
        """A copy with some fields replaced.

        `dataclasses.replace` costs 20 us with this many fields, several times per event, which is
        most of the time that a long journal takes to read.
        """
        if unknown := fields.keys() - self.__dict__.keys():
            raise TypeError(f"a state has no {', '.join(sorted(unknown))}")
        copy = object.__new__(State)
        copy.__dict__.update(self.__dict__, **fields)
        return copy

    def count(self, *statuses: str) -> int:
        """Number of trials in any of these statuses."""
        return sum(self.counts.get(status, 0) for status in statuses)
