"""Partial dependence of a quantity on one setting or on two, and the curve of random search.

Friedman 2001, doi:10.1214/aos/1013203451: the surrogate's posterior mean, averaged over random
values of all other settings. The same surrogate gives the expected best of n random configurations,
the curve that a search is compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from conf.runtime.types import Floats
from conf.schema.search import Scalar
from tasks.suggest.analysis.fitted_model import FittedModel
from tasks.suggest.space.enumeration import grid_positions
from tasks.suggest.space.parameters import Parameter

_DRAWS = 128
_RANDOM = 2048
_POINTS = 31
_CELLS = 13


@dataclass(frozen=True)
class Slice:
    """Partial dependence on one setting."""

    key: str
    values: tuple[Scalar, ...]
    expected: tuple[float, ...]
    """Mean over the other settings, on the scale of the results."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    """5 % and 95 % quantiles over the other settings."""


@dataclass(frozen=True)
class Plane:
    """Partial dependence on two settings."""

    keys: tuple[str, str]
    values: tuple[tuple[Scalar, ...], tuple[Scalar, ...]]
    expected: tuple[tuple[float, ...], ...]
    """A row a value of the second, a column a value of the first."""


def dependence_on(model: FittedModel, key: str, generator: np.random.Generator) -> Slice:
    """Partial dependence on one setting; configurations in which it is inactive do not count."""
    i, positions = _axis(model, key, _POINTS)
    levels = _levels(model, ((i, positions),), generator)
    mean, low, high = (
        tuple(model.as_losses(level).tolist())
        for level in (levels.mean(axis=1), *np.quantile(levels, (0.05, 0.95), axis=1))
    )
    return Slice(key, _values(model.space.parameters[i], positions), mean, low, high)


def dependence_on_pair(
    model: FittedModel, first: str, second: str, generator: np.random.Generator
) -> Plane:
    """Partial dependence on two settings."""
    (i, x), (j, y) = (_axis(model, key, _CELLS) for key in (first, second))
    xs, ys = (grid.ravel() for grid in np.meshgrid(x, y))
    means = model.as_losses(_levels(model, ((i, xs), (j, ys)), generator).mean(axis=1))
    grid = means.reshape(len(y), len(x))
    parameters = model.space.parameters
    return Plane(
        (first, second),
        (_values(parameters[i], x), _values(parameters[j], y)),
        tuple(map(tuple, grid.tolist())),
    )


def random_search_curve(
    model: FittedModel, most: int, generator: np.random.Generator
) -> tuple[float, ...]:
    """The best loss to be expected after 1, 2, ... `most` random configurations.

    By the process, its noise included: the mean of the least of n draws from what it expects over
    the whole space.
    """
    with threadpool_limits(1):
        drawn = model.expected(generator.random((_RANDOM, len(model.space))))
    drawn = drawn + np.sqrt(model.process.theta.noise) * generator.standard_normal(_RANDOM)
    ordered = np.sort(model.as_losses(drawn))
    left = 1.0 - np.arange(_RANDOM + 1) / _RANDOM
    counts = np.arange(1, most + 1)[:, None]
    chance = left[None, :-1] ** counts - left[None, 1:] ** counts
    return tuple((chance @ ordered).tolist())


def _axis(model: FittedModel, key: str, points: int) -> tuple[int, Floats]:
    """Index of a setting, and the positions to look at: all of a list's, else evenly spread."""
    i = next(i for i, each in enumerate(model.space.parameters) if each.key == key)
    parameter = model.space.parameters[i]
    levels = parameter.levels
    count = levels if levels is not None and (levels <= points or not parameter.ordered) else points
    return i, np.array(grid_positions(parameter, count))


def _levels(
    model: FittedModel,
    fixed: tuple[tuple[int, Floats], ...],
    generator: np.random.Generator,
) -> Floats:
    """Expected levels, shape (points, draws): the same draws of the other settings at each point.

    Conditions that switch the fixed settings on are made to hold.
    """
    points = len(fixed[0][1])
    rows = np.tile(generator.random((_DRAWS, len(model.space))), (points, 1))
    for i, _ in fixed:
        for parent, position in _switches(model, i):
            rows[:, parent] = position
    for i, positions in fixed:
        rows[:, i] = np.repeat(positions, _DRAWS)
    with threadpool_limits(1):
        return model.expected(rows).reshape(points, _DRAWS)


def _switches(model: FittedModel, i: int) -> list[tuple[int, float]]:
    """Parents and positions that make a setting active, outermost first."""
    switches = []
    for condition in model.space.conditions[i]:
        switches += [
            *_switches(model, condition.parent),
            (condition.parent, condition.positions[0]),
        ]
    return switches


def _values(parameter: Parameter, positions: Floats) -> tuple[Scalar, ...]:
    return tuple(parameter.value(float(position)) for position in positions)
