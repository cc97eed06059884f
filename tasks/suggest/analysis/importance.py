"""Hyper-parameter importance: Sobol total-effect indices of a surrogate model.

The share of the posterior mean's variance over the space that each setting takes part in,
interactions included, by Jansen's estimator (Jansen 1999, doi:10.1016/S0010-4655(98)00154-4). The
cross-validated R2 of the surrogate says how far to trust the indices.
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
    """Total-effect index of each setting for one quantity."""

    shares: dict[str, float]
    """Key to total-effect index, greatest first. With interactions the indices sum to more than
    1."""
    predictivity: float
    """R2 of the surrogate by five-fold cross-validation: 1 is perfect, 0 or less is useless."""
    results: int
    """Number of results."""


def importance(model: FittedModel, generator: np.random.Generator) -> Importance:
    """The importance of each setting for the quantity that the model was fitted to."""
    with threadpool_limits(1):
        shares = _shares(model, generator)
        predictivity = _predictivity(model, generator)
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return Importance(dict(ordered), predictivity, model.results)


def _shares(model: FittedModel, generator: np.random.Generator) -> dict[str, float]:
    """Total-effect indices. A parent setting includes the effect of what it (de)activates."""
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
    """Cross-validated R2; the hyper-parameters are refitted for each fold, not to leak it."""
    points, levels = model.points, model.levels
    fold = generator.permutation(len(levels)) % _FOLDS
    errors = np.empty_like(levels)
    for held in range(_FOLDS):
        out, rest = np.flatnonzero(fold == held), np.flatnonzero(fold != held)
        known = points.take(rest)
        process = condition(fit(known, levels[rest]), known, levels[rest])
        errors[out] = levels[out] - process.predict(points.take(out))[0]
    return 1.0 - float(np.mean(errors**2) / np.var(levels))
