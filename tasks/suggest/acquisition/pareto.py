"""Several objectives: scalarisation (ParEGO) and the Pareto front.

Each step minimises the augmented Chebyshev scalarisation, the maximum of the weighted objectives
plus a small share of their sum (Knowles 2006, doi:10.1109/TEVC.2005.851274): every point of the
front minimises it for some weights, also where the front is not convex. The weights follow a
low-discrepancy sequence over the steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from conf.runtime.types import Floats
from tasks.suggest.surrogate.output_transform import clip_outliers
from tasks.suggest.types import Direction, Observation

_SUM = 0.05
_GOLDEN = 0.6180339887498949


def scalarised(
    losses: Mapping[int, float],
    observations: Sequence[Observation],
    also: Sequence[tuple[str, Direction]],
    seed: int,
    step: int,
) -> dict[int, float]:
    """One loss a trial, from the losses of the first objective and the measures of the others.

    A measure that is missing, or no number, counts as the worst.
    """
    by_number = {o.number: o for o in observations}
    numbers = sorted(losses)
    if not numbers:
        return {}
    columns = [np.array([losses[number] for number in numbers])]
    for name, direction in also:
        sign = 1.0 if direction == "minimize" else -1.0
        given = (by_number[number].measures.get(name, math.nan) for number in numbers)
        columns.append(sign * np.fromiter(given, dtype=float, count=len(numbers)))
    table = np.column_stack([_unit(column) for column in columns])
    weighted = table * scalarisation_weights(len(columns), seed, step)
    scalars = weighted.max(axis=1) + _SUM * weighted.sum(axis=1)
    return {number: float(loss) for number, loss in zip(numbers, scalars, strict=True)}


def scalarisation_weights(count: int, seed: int, step: int) -> Floats:
    """Weights of a step, shape (count,), that sum to 1; a function of seed and step alone."""
    origin = np.random.default_rng([seed, count]).random(count - 1)
    ratios = _GOLDEN ** np.arange(1, count)
    cuts = np.sort((origin + (step + 1) * ratios) % 1.0)
    return np.diff(np.concatenate([[0.0], cuts, [1.0]]))


def _unit(column: Floats) -> Floats:
    """Losses from 0, the best, to 1, the worst that is no outlier."""
    known = np.isfinite(column)
    if not known.any():
        return np.ones_like(column)
    clipped = clip_outliers(column[known])
    low, high = float(clipped.min()), float(clipped.max())
    unit = np.ones_like(column)
    unit[known] = (clipped - low) / (high - low) if high > low else 0.0
    return unit


def pareto_front(points: Mapping[int, Sequence[float]]) -> list[int]:
    """Numbers of the non-dominated points, sorted by their first loss.

    Args:
        points: Trial number to its losses; less is better. Equal points are all on the front.
    """
    numbers = sorted(points, key=lambda number: (tuple(points[number]), number))
    kept: list[int] = []
    for number in numbers:
        # Sorted by the first: only what came before can beat it.
        if not any(_beats(points[other], points[number]) for other in kept):
            kept.append(number)
    return kept


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)
