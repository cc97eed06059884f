"""Forecast of a batch: expected gain, expected simple regret and expected seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import solve_triangular

from conf.runtime.types import Floats
from tasks.suggest.surrogate.gp import GaussianProcess, lower_factor
from tasks.suggest.surrogate.kernel import Features, covariance
from tasks.suggest.surrogate.model import Surrogate
from tasks.suggest.types import Forecast, Observation, Vector

_DRAWS = 256


def forecast(
    model: Surrogate,
    picks: Features,
    others: Features,
    observations: Sequence[Observation],
    generator: np.random.Generator,
) -> Forecast:
    """Monte Carlo estimate from posterior samples at the picks and at other promising points.

    The gain of a sample is the incumbent minus its minimum over the picks, in the user's units.
    `regret` takes the minimum over all points, and is a lower bound: the space has others.
    """
    draws = _draws(model.loss, picks.join(others), generator)
    incumbent = in_units(model, np.array([model.best]))[0]
    lowest_pick = in_units(model, draws[: len(picks)].min(axis=0))
    lowest = in_units(model, draws.min(axis=0))
    seconds = [o.seconds for o in observations if o.seconds is not None]
    return Forecast(
        gain=float(np.mean(np.maximum(incumbent - lowest_pick, 0.0))),
        regret=float(np.mean(np.maximum(incumbent - lowest, 0.0))),
        seconds=float(np.mean(seconds)) * len(picks) if seconds else None,
    )


def _draws(process: GaussianProcess, at: Features, generator: np.random.Generator) -> Floats:
    """Samples of the posterior, shape (points, draws)."""
    cross = covariance(process.points, at, process.theta)
    half = solve_triangular(process.factor, cross, lower=True, check_finite=False)
    mean = cross.T @ process.weights + process.level
    spread = covariance(at, at, process.theta) - half.T @ half
    spread[np.diag_indices_from(spread)] += 1e-6 * process.theta.signal
    factor = lower_factor(spread)
    return np.asarray(mean[:, None] + factor @ generator.standard_normal((len(at), _DRAWS)))


def in_units(model: Surrogate, levels: Vector) -> Vector:
    """Standardised losses, shape (n,), in the user's units.

    Between observed losses by interpolation; below the lowest along the line from the median of
    the better half to the lowest, since nothing lower was seen.
    """
    known, first = np.unique(model.levels, return_index=True)
    raw = model.raw[first]
    inside = np.interp(levels, known, raw)
    if len(known) < 2:
        return np.asarray(inside)
    quarter = max(1, len(known) // 4)
    slope = (raw[quarter] - raw[0]) / (known[quarter] - known[0])
    return np.asarray(np.where(levels < known[0], raw[0] + slope * (levels - known[0]), inside))
