"""Which acquisition function picks: shares learned from what each one's picks have earned.

A pick earns the improvement over the best loss known when it was asked, in units of the losses'
spread, at most 1, and a little for being better than the median. The account (pulls and earnings an
arm, old ones fading) and the picks that have not ended travel in the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.suggest.records import Observation

ARMS = ("ei", "lcb", "pi", "mean")
_FADE = 0.98
_FLOOR = 0.05
_PRIOR = {"ei": (12.0, 8.0), "lcb": (12.0, 1.8), "pi": (12.0, 1.8), "mean": (12.0, 1.8)}
"""Pulls and earnings that each arm begins with: expected improvement has to be beaten."""


class Bandit:
    """The account as of one step."""

    def __init__(self, state: Mapping[str, Any] | None) -> None:
        state = state or {}
        self._account: dict[str, list[float]] = {
            arm: list(state.get("account", {}).get(arm, (0.0, 0.0))) for arm in ARMS
        }
        self._open: dict[str, list[Any]] = dict(state.get("open", {}))
        self.settled: list[tuple[str, float]] = []
        """(origin, improvement on the best) of the picks that ended since the last step.

        In units of the spread: negative where it was worse, 0 where it was the same.
        """

    def credit(
        self, observations: Sequence[Observation], losses: Mapping[int, float], spread: float
    ) -> None:
        """Settle the picks that have ended. `losses` are those of scored trials, by number."""
        ended = {observation.number: observation for observation in observations}
        middle = float(np.median(list(losses.values()))) if losses else 0.0
        for key in sorted(self._open, key=int):
            if int(key) not in ended:
                continue
            arm, origin, best = self._open.pop(key)
            loss = losses.get(int(key))
            gain = 0.0 if loss is None else max(0.0, best - loss) / max(spread, 1e-12)
            earned = min(gain, 1.0) + (0.1 if loss is not None and loss < middle else 0.0)
            for other in ARMS:
                self._account[other] = [_FADE * entry for entry in self._account[other]]
            self._account[arm][0] += 1.0
            self._account[arm][1] += earned
            change = -1.0 if loss is None else (best - loss) / max(spread, 1e-12)
            self.settled.append((origin, change))

    def shares(self, arms: Sequence[str]) -> np.ndarray:
        """The chance of each arm, in order."""
        rates = np.array([self._rate(arm) for arm in arms])
        return _FLOOR + (1.0 - _FLOOR * len(arms)) * rates**2 / np.sum(rates**2)

    def _rate(self, arm: str) -> float:
        pulls, earned = self._account[arm]
        prior_pulls, prior_earned = _PRIOR[arm]
        return (earned + prior_earned) / (pulls + prior_pulls)

    def opened(self, number: int, arm: str, origin: str, best: float) -> None:
        """Remember who picked a trial, and the best loss known then."""
        self._open[str(number)] = [arm, origin, best]

    def state(self) -> dict[str, Any]:
        """For the next step."""
        account = {arm: [round(x, 6) for x in entry] for arm, entry in self._account.items()}
        return {"account": account, "open": self._open}
