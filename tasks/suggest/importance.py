"""Which settings mattered: shares of the model's variation over the whole space.

A process is fitted to the results once more, and asked at random points how much what it expects
moves when one setting is drawn anew (Sobol's total effect, by Jansen's estimator). How well the
same process foretells trials that were left out of it says how far to trust the shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tasks.suggest.gp import condition, fit
from tasks.suggest.kernel import Features, Theta, features
from tasks.suggest.problem import row_or_none
from tasks.suggest.records import Values
from tasks.suggest.space import Rows, Space
from tasks.suggest.surrogate import chosen_points
from tasks.suggest.transform import standardised

Vector = NDArray[np.float64]
FEWEST = 8
"""Results without which nothing is said."""
_MOST = 200
_POINTS = 1024
_FOLDS = 5


@dataclass(frozen=True)
class Importance:
    """What the settings explain of a quantity, by the model of its results."""

    shares: dict[str, float]
    """Key to the share of the variation that is gone when the setting is known, most first. With
    settings that act together the shares add up to more than 1."""
    foretold: float
    """Share of the variation between results that the model foretells of trials it was not told of
    (five-fold; 1 is all, 0 or less is nothing)."""
    results: int
    """Results that it rests on."""


def importance(
    space: Space, results: Sequence[tuple[Values, float]], seed: int = 0
) -> Importance | None:
    """The importance of each setting for a quantity that should be small.

    `results` are configurations and their finite values, in any fixed order; those of another space
    are left out. None where fewer than `FEWEST` are left, or all values are alike.
    """
    rows, values = _told(space, results)
    if len(rows) < FEWEST or np.ptp(values) == 0:
        return None
    generator = np.random.default_rng([seed, len(rows)])
    levels = standardised(values)
    kept = chosen_points(levels, _MOST, generator)
    points, levels = features(space, rows[kept]), levels[kept]
    with threadpool_limits(1):
        theta = fit(points, levels)
        shares = _shares(space, theta, points, levels, generator)
        foretold = _foretold(points, levels, generator)
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return Importance(dict(ordered), foretold, len(rows))


def _told(space: Space, results: Sequence[tuple[Values, float]]) -> tuple[Rows, Vector]:
    found = [(row_or_none(space, values), value) for values, value in results]
    known = [(row, value) for row, value in found if row is not None and np.isfinite(value)]
    rows = np.array([row for row, _ in known]).reshape(len(known), len(space))
    return rows, np.array([value for _, value in known])


def _shares(
    space: Space,
    theta: Theta,
    points: Features,
    levels: Vector,
    generator: np.random.Generator,
) -> dict[str, float]:
    """Total effects. A setting drawn anew takes those with it that it switches on or off."""
    process = condition(theta, points, levels)

    def expected(even: Rows) -> Vector:
        return process.predict(features(space, space.snap(even)))[0]

    one, other = generator.random((2, _POINTS, len(space)))
    start = expected(one)
    variance = float(np.var(np.concatenate([start, expected(other)])))
    shares = {}
    for i, parameter in enumerate(space.parameters):
        moved = one.copy()
        moved[:, i] = other[:, i]
        change = float(np.mean((start - expected(moved)) ** 2)) / 2.0
        shares[parameter.key] = change / variance if variance > 1e-12 else 0.0
    return shares


def _foretold(points: Features, levels: Vector, generator: np.random.Generator) -> float:
    """1 - squared errors by squared distances from the mean, each fold foretold by the others.

    Each by a process of its own: one fitted to all results would have seen what it foretells.
    """
    fold = generator.permutation(len(levels)) % _FOLDS
    errors = np.empty_like(levels)
    for held in range(_FOLDS):
        out, rest = np.flatnonzero(fold == held), np.flatnonzero(fold != held)
        told = points.take(rest)
        process = condition(fit(told, levels[rest]), told, levels[rest])
        errors[out] = levels[out] - process.predict(points.take(out))[0]
    return 1.0 - float(np.mean(errors**2) / np.var(levels))
