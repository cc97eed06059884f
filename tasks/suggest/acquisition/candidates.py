"""Candidates at which the acquisition is evaluated, and a local search from the best of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conf.runtime.types import Floats
from tasks.suggest.space.enumeration import all_rows, configuration_count
from tasks.suggest.space.initial_design import uniform
from tasks.suggest.space.parameters import reflected
from tasks.suggest.space.space import Space
from tasks.suggest.types import Rows

Score = Callable[[Rows], Floats]
_SCALES = (0.05, 0.15, 0.3)


def near(
    space: Space,
    centres: Rows,
    count: int,
    scale: Floats | float,
    generator: np.random.Generator,
) -> Rows:
    """`count` rows near centres drawn at random, see `perturbed`."""
    return perturbed(space, centres[generator.integers(len(centres), size=count)], scale, generator)


def perturbed(
    space: Space,
    centres: Rows,
    scale: Floats | float,
    generator: np.random.Generator,
) -> Rows:
    """A row near each centre: some of the settings moved by about `scale` of their range.

    At least one setting moves; each with the chance that moves about three in all. A countable
    setting moves by a level at least; a category is redrawn.
    """
    count, d = centres.shape
    rows = centres.copy()
    moves = generator.random((count, d)) < min(1.0, 3.0 / d)
    moves[np.arange(count), generator.integers(d, size=count)] = True
    fresh = generator.random((count, d))
    steps = generator.standard_normal((count, d)) * np.broadcast_to(scale, count)[:, None]
    for i, parameter in enumerate(space.parameters):
        missing = np.isnan(rows[:, i])
        if not parameter.ordered:
            column = fresh[:, i]
        else:
            step = steps[:, i]
            if parameter.levels is not None and parameter.levels > 1:
                least = 1.0 / parameter.levels
                step = np.where(np.abs(step) < least, np.sign(step) * least, step)
            column = reflected(rows[:, i] + step)
        rows[:, i] = np.where(missing, fresh[:, i], np.where(moves[:, i], column, rows[:, i]))
    return space.snap(rows)


def pool(space: Space, centres: Rows, count: int, generator: np.random.Generator) -> Rows:
    """Candidate rows: half uniform, half around the centres; every row of a small space."""
    size = configuration_count(space)
    if size is not None and size <= count:
        return all_rows(space)
    scale = np.asarray(_SCALES)[generator.integers(len(_SCALES), size=count // 2)]
    close = near(space, centres, count // 2, scale, generator)
    return np.vstack([uniform(space, count - count // 2, generator), space.admitted(close)])


def climb(
    space: Space,
    starts: Rows,
    score: Score,
    generator: np.random.Generator,
    *,
    rounds: int = 4,
    neighbours: int = 16,
    scale: float = 0.1,
) -> Rows:
    """Hill climbing from several starts at once; a round scores all neighbours in one call."""
    best = starts
    values = score(best)
    for _ in range(rounds):
        around = perturbed(space, np.repeat(best, neighbours, axis=0), scale, generator)
        scores = score(around).reshape(len(best), neighbours)
        winner = np.argmax(scores, axis=1)
        rows = around[np.arange(len(best)) * neighbours + winner]
        won = scores[np.arange(len(best)), winner]
        better = won > values
        best = np.where(better[:, None], rows, best)
        values = np.where(better, won, values)
        scale *= 0.5
    return best
