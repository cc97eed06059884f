"""The trust region: how far from the incumbent the local half of a batch may look.

It doubles when local picks improve on the best and halves after a run of them that does not; when
it has shrunk to nothing it opens again at its first size. Picks exactly as good as the best lie on
a plateau with it: the region widens, to see over its edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tasks.suggest.types import Observation

FIRST, LARGEST, SMALLEST = 0.4, 0.8, 0.02
_SUCCESSES = 2
_SLIGHT = 1e-3


@dataclass(frozen=True)
class Region:
    """Side of the region as a share of each setting's range, and the current runs."""

    side: float = FIRST
    successes: int = 0
    failures: int = 0

    @classmethod
    def of(cls, state: Mapping[str, Any] | None) -> Region:
        """From the state of the step before."""
        return cls(*state["region"]) if state and "region" in state else cls()

    def after(self, changes: Iterable[float], patience: int) -> Region:
        """The region after local picks have ended; each change is an improvement on the best."""
        region = self
        for change in changes:
            region = region._after_one(change, patience)
        return region

    def _after_one(self, change: float, patience: int) -> Region:
        if change == 0.0:
            return Region(min(LARGEST, max(FIRST, 1.5 * self.side)))
        if change > _SLIGHT:
            grown = replace(self, successes=self.successes + 1, failures=0)
            if grown.successes < _SUCCESSES:
                return grown
            return Region(min(LARGEST, 2.0 * self.side))
        shrunk = replace(self, successes=0, failures=self.failures + 1)
        if shrunk.failures < patience:
            return shrunk
        side = self.side / 2.0
        return Region(side if side >= SMALLEST else FIRST)

    def state(self) -> list[float]:
        """For the next step."""
        return [self.side, self.successes, self.failures]


def settle_local_picks(
    awaited: Mapping[str, float],
    observations: Sequence[Observation],
    losses: Mapping[int, float],
    spread: float,
) -> tuple[list[float], dict[str, float]]:
    """What came of local picks, in order, and those that have not ended.

    `awaited` has the best loss known when each was picked, by number; `losses` those of scored
    trials. What came of one is its improvement on that best, in units of the losses' spread.
    """
    ended = {str(observation.number) for observation in observations}
    changes = []
    for key in sorted(ended & set(awaited), key=int):
        loss = losses.get(int(key))
        changes.append(-1.0 if loss is None else (awaited[key] - loss) / max(spread, 1e-12))
    return changes, {key: best for key, best in awaited.items() if key not in ended}
