"""Trust region around the incumbent for the local half of a batch (TuRBO, arXiv:1910.01739).

The side doubles after improvements and halves after a run of failures; below the least side it
restarts at the first. A pick that ties with the incumbent exactly lies on a plateau with it: the
region widens there, to reach beyond its edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from tasks.suggest.types import Observation, StrategyState

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
    def of(cls, state: StrategyState) -> Region:
        """The region in a strategy's state; a new one if it has none."""
        if "region" not in state:
            return cls()
        return cls(*cast(tuple[float, int, int], state["region"]))

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
        """The region as JSON, for the next step."""
        return [self.side, self.successes, self.failures]


def settle_local_picks(
    awaited: Mapping[str, float],
    observations: Sequence[Observation],
    losses: Mapping[int, float],
    spread: float,
) -> tuple[list[float], dict[str, float]]:
    """Improvements of the local picks that ended, by number, and the picks still pending.

    Args:
        awaited: Trial number of each local pick to the best loss when it was picked.
        observations: All ended trials.
        losses: Number to loss of the scored ones; a pick without a loss counts as a failure.
        spread: Unit of the improvements.
    """
    ended = {str(observation.number) for observation in observations}
    changes = []
    for key in sorted(ended & set(awaited), key=int):
        loss = losses.get(int(key))
        changes.append(-1.0 if loss is None else (awaited[key] - loss) / max(spread, 1e-12))
    return changes, {key: best for key, best in awaited.items() if key not in ended}
