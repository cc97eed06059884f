"""Cost model: a Gaussian process over the log training seconds of complete trials.

The acquisition becomes expected improvement per second (Snoek et al. 2012, arXiv:1206.2944).
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
"""With fewer timed trials there is no cost model."""
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
        """Expected log seconds, shape (n,), at most a factor of two beyond those observed."""
        mean = self.process.predict(features(self.space, rows))[0]
        return np.clip(self.middle + self.spread * mean, self.low - _BEYOND, self.high + _BEYOND)

    def log_weight(self, rows: Rows) -> Vector:
        """Minus the log seconds: the acquisition per second."""
        return self.middle - self.log_seconds(rows)

    def seconds(self, rows: Rows) -> float:
        """Expected seconds of configurations, summed."""
        return float(np.sum(np.exp(self.log_seconds(rows))))


def cost_model(problem: Problem, observations: Sequence[Observation], rows: Rows) -> Cost | None:
    """The cost model, or None while too few trials are timed.

    `rows` are those of the observations, (n, d). Trials that stopped early are left out: their
    seconds are not those of a whole training.
    """
    timed = [i for i, o in enumerate(observations) if o.seconds and o.outcome == "complete"]
    if len(timed) < FEWEST:
        return None
    timed = timed[-_MOST:]  # the machine as it was lately
    logs = np.log([float(observations[i].seconds or 1.0) for i in timed])
    middle, spread = float(np.mean(logs)), max(float(np.std(logs)), 1e-6)
    points, levels = features(problem.space, rows[timed]), (logs - middle) / spread
    theta = fit(points, levels, start=problem.carried("cost"), warp=False)
    return Cost(
        problem.space,
        condition(theta, points, levels),
        middle,
        spread,
        float(logs.min()),
        float(logs.max()),
        [round(float(entry), 6) for entry in theta.vector],
    )
