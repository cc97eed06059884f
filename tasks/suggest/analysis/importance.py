"""Which settings mattered: shares of the model's variation over the whole space.

A process is fitted to the results once more, and asked at random points how much what it expects
moves when one setting is drawn anew (Sobol's total effect, by Jansen's estimator). How well the
same process foretells trials that were left out of it says how far to trust the shares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from tasks.suggest.analysis.fitted_model import FittedModel
from tasks.suggest.surrogate.gp import condition, fit

_POINTS = 1024
_FOLDS = 5


@dataclass(frozen=True)
class Importance:
    """What the settings explain of a quantity, by the model of its results."""

    shares: dict[str, float]
    """Key to the share of the variation that is gone when the setting is known, most first. With
    settings that act together the shares add up to more than 1."""
    predictivity: float
    """Share of the variation between results that the model foretells of trials it was not told of
    (five-fold; 1 is all, 0 or less is nothing)."""
    results: int
    """Results that it rests on."""


def importance(model: FittedModel, generator: np.random.Generator) -> Importance:
    """The importance of each setting for what the model has learnt."""
    with threadpool_limits(1):
        shares = _shares(model, generator)
        predictivity = _predictivity(model, generator)
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return Importance(dict(ordered), predictivity, model.results)


def _shares(model: FittedModel, generator: np.random.Generator) -> dict[str, float]:
    """Total effects. A setting drawn anew takes those with it that it switches on or off."""
    one, other = generator.random((2, _POINTS, len(model.space)))
    start = model.expected(one)
    variance = float(np.var(np.concatenate([start, model.expected(other)])))
    shares = {}
    for i, parameter in enumerate(model.space.parameters):
        moved = one.copy()
        moved[:, i] = other[:, i]
        change = float(np.mean((start - model.expected(moved)) ** 2)) / 2.0
        shares[parameter.key] = change / variance if variance > 1e-12 else 0.0
    return shares


def _predictivity(model: FittedModel, generator: np.random.Generator) -> float:
    """1 - squared errors by squared distances from the mean, each fold foretold by the others.

    Each by a process of its own: one fitted to all results would have seen what it foretells.
    """
    points, levels = model.points, model.levels
    fold = generator.permutation(len(levels)) % _FOLDS
    errors = np.empty_like(levels)
    for held in range(_FOLDS):
        out, rest = np.flatnonzero(fold == held), np.flatnonzero(fold != held)
        told = points.take(rest)
        process = condition(fit(told, levels[rest]), told, levels[rest])
        errors[out] = levels[out] - process.predict(points.take(out))[0]
    return 1.0 - float(np.mean(errors**2) / np.var(levels))
