"""User priors over the optimum (piBO, Hvarfner et al. 2022, arXiv:2204.11051), in positions.

They shape the initial design and are added to the log acquisition with a weight that decays as
results come in: a good prior saves trials, a wrong one is outweighed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conf.runtime.types import Floats
from conf.schema.search import Prior
from tasks.suggest.space.parameters import Parameter
from tasks.suggest.types import Vector

_STRENGTH = 10.0
"""Decay: the prior has half of its weight after this many results."""


@dataclass(frozen=True)
class UserPrior:
    """A normal density over positions, truncated to [0, 1]."""

    centre: float
    deviation: float

    def log_density(self, column: Vector) -> Vector:
        """Up to a constant; 0 at the centre and where the setting is inactive (NaN)."""
        return np.nan_to_num(-0.5 * ((column - self.centre) / self.deviation) ** 2, nan=0.0)

    def quantiles(self, column: Vector) -> Vector:
        """Uniform positions mapped to quantiles of the density, shape (n,)."""
        from scipy.special import ndtr, ndtri

        low, high = ndtr((np.array([0.0, 1.0]) - self.centre) / self.deviation)
        return np.clip(self.centre + self.deviation * ndtri(low + column * (high - low)), 0.0, 1.0)


def user_prior(parameter: Parameter, prior: Prior) -> UserPrior:
    """The prior of a parameter, as a density over its positions."""
    below, above = prior.reach()
    centre = _position(parameter, prior.around)
    reach = [abs(_position(parameter, end) - centre) for end in (below, above)]
    return UserPrior(centre, max(*reach, 0.02))


def _position(parameter: Parameter, value: float) -> float:
    """Where the value of the parameter nearest to a number lies."""
    even = np.linspace(0.0, 1.0, 2001)
    values = np.array([float(parameter.value(float(x))) for x in even])  # type: ignore[arg-type]
    return float(parameter.snap(even[[int(np.argmin(np.abs(values - value)))]])[0])


def log_user_prior(user_priors: Sequence[UserPrior | None], rows: Floats, results: int) -> Vector:
    """The term, shape (n,), of the log acquisition after so many results."""
    total = np.zeros(len(rows))
    for prior, column in zip(user_priors, rows.T, strict=True):
        if prior is not None:
            total += prior.log_density(column)
    return total * _STRENGTH / (_STRENGTH + results**2 / _STRENGTH)


def spread_by_priors(user_priors: Sequence[UserPrior | None], rows: Floats) -> Floats:
    """Uniform rows, (n, d), with each column that has a prior mapped to its quantiles."""
    columns = [
        column if prior is None else prior.quantiles(column)
        for prior, column in zip(user_priors, rows.T, strict=True)
    ]
    return np.column_stack(columns)
