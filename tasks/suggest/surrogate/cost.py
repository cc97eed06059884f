"""What a trial is expected to cost: a process through the logarithms of the seconds of whole ones.

Dividing the expected improvement by it makes the search buy improvement where that is cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.suggest.problem import Problem
from tasks.suggest.space.space import Space
from tasks.suggest.surrogate.gp import GaussianProcess, condition, fit
from tasks.suggest.surrogate.kernel import features
from tasks.suggest.types import Observation, Rows, Vector

FEWEST = 4
"""Timed trials without which nothing is known of the cost."""
_MOST = 200
_BEYOND = float(np.log(2.0))


@dataclass(frozen=True)
class Cost:
    """The fitted model of one step."""

    space: Space
    process: GaussianProcess
    middle: float
    """Mean logarithm of the seconds, and their deviation: the units of the process."""
    spread: float
    low: float
    high: float
    """Least and greatest logarithm seen."""
    theta: list[float]
    """Hyper-parameters, for the next step."""

    def log_seconds(self, rows: Rows) -> Vector:
        """Expected logarithm of the seconds, at most a factor of two beyond what was seen."""
        mean = self.process.predict(features(self.space, rows))[0]
        return np.clip(self.middle + self.spread * mean, self.low - _BEYOND, self.high + _BEYOND)

    def log_weight(self, rows: Rows) -> Vector:
        """An improvement of a second's worth counts as one: minus the logarithm of the seconds."""
        return self.middle - self.log_seconds(rows)

    def seconds(self, rows: Rows) -> float:
        """Expected seconds of some configurations together."""
        return float(np.sum(np.exp(self.log_seconds(rows))))


def cost_model(problem: Problem, observations: Sequence[Observation], rows: Rows) -> Cost | None:
    """The cost of a trial of the problem; None while too few were timed.

    `rows` are those of the observations. Trials that ended before their time say nothing of the
    whole.
    """
    timed = [i for i, o in enumerate(observations) if o.seconds and o.outcome == "complete"]
    if len(timed) < FEWEST:
        return None
    timed = timed[-_MOST:]  # the machine as it was lately
    logs = np.log([float(observations[i].seconds or 1.0) for i in timed])
    middle, spread = float(np.mean(logs)), max(float(np.std(logs)), 1e-6)
    points, levels = features(problem.space, rows[timed]), (logs - middle) / spread
    carried = problem.state.get("cost")
    start = None if carried is None else np.asarray(carried)
    theta = fit(points, levels, start=start, warp=False)
    return Cost(
        problem.space,
        condition(theta, points, levels),
        middle,
        spread,
        float(logs.min()),
        float(logs.max()),
        [round(float(entry), 6) for entry in theta.vector],
    )
