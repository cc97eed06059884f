"""Enumeration of a search space: its size, all configurations, and the axes of a grid."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product

import numpy as np

from conf.runtime.types import Floats
from tasks.suggest.space.parameters import Integer, Listed, Parameter
from tasks.suggest.space.space import Space
from tasks.suggest.types import Rows

_GRID_LEVELS = 5
_LARGEST_COUNT = 1_000_000


@lru_cache(maxsize=4)
def configuration_count(space: Space) -> int | None:
    """Number of configurations; None where infinite or too many to count.

    The product of the levels, up to a million; with conditions or constraints the configurations
    are enumerated, up to a product of a hundred thousand.
    """
    if any(parameter.levels is None for parameter in space.parameters):
        return None
    total = 1
    for parameter in space.parameters:
        total *= parameter.levels or 1
    if not space.conditional and not space.constraints:
        return total if total <= _LARGEST_COUNT else None
    return len(all_rows(space)) if total <= _LARGEST_COUNT // 10 else None


def all_rows(space: Space) -> Rows:
    """Every configuration of a finite space, as distinct rows (n, d) in a fixed order."""
    axes = [_centres(parameter) for parameter in space.parameters]
    return space.admitted(_distinct(space.snap(np.array(list(product(*axes))))))


def walk(space: Space) -> Iterator[Floats]:
    """Rows of a finite space one by one, repeats included: its product is never in memory."""
    for point in product(*(_centres(parameter) for parameter in space.parameters)):
        yield space.snap(np.array([point]))[0]


def grid_axes(space: Space) -> list[list[float]]:
    """Positions of the grid on each axis: all values of a list, at most five of a range."""
    axes = []
    for parameter in space.parameters:
        levels = parameter.levels or _GRID_LEVELS
        count = levels if isinstance(parameter, Listed) else min(levels, _GRID_LEVELS)
        axes.append(grid_positions(parameter, count))
    return axes


def grid_positions(parameter: Parameter, count: int) -> list[float]:
    """`count` evenly spread positions of a parameter, both ends included."""
    if parameter.levels == 1:
        return [0.5]
    if isinstance(parameter, Listed):
        return [(index + 0.5) / count for index in range(count)]
    if isinstance(parameter, Integer) and parameter.levels == count:
        return [parameter.position(parameter.low + index) for index in range(count)]
    ends = np.linspace(0.0, 1.0, count)
    return [float(position) for position in np.unique(parameter.snap(ends))]


def _centres(parameter: Parameter) -> list[float]:
    """The positions of all values of a countable parameter."""
    assert parameter.levels is not None
    return grid_positions(parameter, parameter.levels)


def _distinct(rows: Rows) -> Rows:
    """Rows without repeats (NaN equals NaN), in order of first appearance."""
    _, first = np.unique(np.nan_to_num(rows, nan=-1.0), axis=0, return_index=True)
    return rows[np.sort(first)]
