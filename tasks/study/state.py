"""The state of a study: what follows from its journal (`fold.py`), and nothing else."""

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
    """The trials that reported at a number of epochs, best first: (loss, number)."""

    reported: SortedSet[tuple[float, int]] = field(default_factory=SortedSet)
    waiting: SortedSet[tuple[float, int]] = field(default_factory=SortedSet)
    """Those that are paused there."""


@dataclass(frozen=True)
class State:
    """What a study has come to. Nothing in it is ever changed in place."""

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
    """Trials whose last attempt has no end yet."""
    ranked: SortedSet[Key] = field(default_factory=SortedSet)
    """Trials with an objective, best first; `Trial.rank`."""
    rungs: Mapping[tuple[int, int], Rung] = field(default_factory=dict)
    """By the epochs of their trials' first rung (the bracket), and of this one."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Trials by status."""
    seconds: float = 0.0
    """Training seconds of all attempts that have ended."""
    forecasts: tuple[events.ForecastRecord, ...] = ()
    """The last two forecasts since more was last wanted, oldest first."""
    stale: int = 0
    """Trials ended in a row without a better one."""
    judged_from: int = 0
    """Trials asked before more were last wanted; a plateau is counted from there."""
    judged_best: Key | None = None
    """Rank of the best trial by then; who asks for more wants a better one."""
    failures: int = 0
    """Trials failed since the study last stopped."""
    first_failure: int | None = None
    """Number of the first of them."""
    target: int | None = None
    """Trials in all, where more were wanted than the configuration says."""
    enqueued: tuple[events.Enqueued, ...] = ()
    """A person's configurations that were not asked yet, oldest first."""
    keys: frozenset[str] = frozenset()
    """Keys of all `enqueued` and `target` lines."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Settings that differ from `study.json`: dotted key to value."""
    stopped: events.Reason | None = None
    """Why the last run ended; None while one is on its way."""
    champion: tuple[events.Champion, ...] = ()
    """Steps of the champion's way."""
    time: float | None = None
    """Of the last event."""

    @property
    def asked(self) -> int:
        """Number of trials asked; the next has this number."""
        return len(self.trials)

    @property
    def sign(self) -> float:
        """What turns an objective into a loss."""
        return 1.0 if self.direction == "minimize" else -1.0

    @property
    def best(self) -> Trial | None:
        """The best trial so far; None while none has an objective."""
        return None if self.ranked.first is None else self.trials[self.ranked.first[2]]

    def but(self, **fields: Any) -> State:
        """A copy with some fields replaced: `dataclasses.replace` costs 20 us at so many fields,
        several times an event, which is most of the time it takes to read a long journal."""
        if unknown := fields.keys() - self.__dict__.keys():
            raise TypeError(f"a state has no {', '.join(sorted(unknown))}")
        copy = object.__new__(State)
        copy.__dict__.update(self.__dict__, **fields)
        return copy

    def count(self, *statuses: str) -> int:
        """Trials in any of some statuses."""
        return sum(self.counts.get(status, 0) for status in statuses)
