"""Everything a suggestion is a function of, checked and put in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conf.errors import BadInput
from tasks.suggest.records import Direction, Observation, Values
from tasks.suggest.space import Rows, Space


@dataclass(frozen=True)
class Problem:
    """One suggestion step: the space, what is known, and what is asked."""

    space: Space
    direction: Direction
    seed: int
    first: int
    """Number of the first suggestion of this batch."""
    observations: tuple[Observation, ...]
    """Sorted by number; those of another space included (they count as tried, no more)."""
    pending: tuple[tuple[int, Values], ...]
    """Asked, not ended; sorted by number."""
    start: Values | None
    state: Mapping[str, Any]

    @property
    def generator(self) -> np.random.Generator:
        """The step's own source of randomness: a function of the seed and `first` alone."""
        return np.random.default_rng([self.seed, self.first])

    def tried(self) -> set[str]:
        """Keys of all configurations that must not be suggested again."""
        told = {self.space.key(observation.values) for observation in self.observations}
        return told | {self.space.key(values) for _, values in self.pending}

    def encoded(self) -> tuple[list[Observation], Rows]:
        """Observations that lie in this space, and their rows."""
        kept: list[Observation] = []
        rows = []
        for observation in self.observations:
            row = row_or_none(self.space, observation.values)
            if row is not None:
                kept.append(observation)
                rows.append(row)
        return kept, np.array(rows).reshape(len(rows), len(self.space))

    def pending_rows(self) -> Rows:
        """Rows of the pending trials that lie in this space."""
        rows = [row_or_none(self.space, values) for _, values in self.pending]
        known = [row for row in rows if row is not None]
        return np.array(known).reshape(len(known), len(self.space))

    def loss(self, value: float) -> float:
        """An objective value as something to minimise."""
        return -value if self.direction == "maximize" else value


def row_or_none(space: Space, values: Values) -> Any:
    """The row of a configuration; None for one of an older, different space."""
    try:
        return space.encode(values)
    except BadInput:
        return None


def in_order(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """One observation a trial, the one taken latest in its training, sorted by number."""
    latest: dict[int, Observation] = {}
    for observation in observations:
        known = latest.get(observation.number)
        if known is None or _progress(observation) > _progress(known):
            latest[observation.number] = observation
    return tuple(latest[number] for number in sorted(latest))


def _progress(observation: Observation) -> tuple[bool, float]:
    ended = observation.rung is None
    return ended, float("inf") if observation.rung is None else observation.rung
