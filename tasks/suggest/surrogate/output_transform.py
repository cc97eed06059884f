"""Output transform: clip outliers, Yeo-Johnson power transform, standardise (HEBO).

Losses of trainings have a long upper tail: diverged runs, chance level. Squeezing it lets the model
spend its resolution where good configurations differ. Power transforms of the objective: HEBO,
Cowen-Rivers et al. 2022, arXiv:2012.03826; Yeo and Johnson 2000, doi:10.1093/biomet/87.4.954.
"""

from __future__ import annotations

import numpy as np

from tasks.suggest.types import Vector

_SPREADS = 5.0
_LAMBDAS = np.linspace(-2.0, 2.0, 41)


def clip_outliers(losses: Vector) -> Vector:
    """Losses above median + 5 times the spread of the better half, pulled down to that."""
    losses = np.clip(losses, -1e150, 1e150)
    middle = np.median(losses)
    better = losses[losses <= middle]
    spread = middle - np.min(better)
    return np.minimum(losses, middle + _SPREADS * spread) if spread > 0 else losses


def yeo_johnson(x: Vector, power: float) -> Vector:
    """The Yeo-Johnson power transform: rising in x for every power, the identity for 1."""
    out = np.empty_like(x)
    positive = x >= 0
    out[positive] = _power(x[positive], power)
    out[~positive] = -_power(-x[~positive], 2.0 - power)
    return out


def _power(x: Vector, power: float) -> Vector:
    return np.log1p(x) if abs(power) < 1e-9 else ((1.0 + x) ** power - 1.0) / power


def best_power(x: Vector) -> float:
    """The power under which standardised values look most like a normal sample."""
    slope = np.sum(np.sign(x) * np.log1p(np.abs(x)))
    scores = []
    for power in _LAMBDAS:
        variance = max(float(np.var(yeo_johnson(x, power))), 1e-300)
        fit = -0.5 * len(x) * np.log(variance) + (power - 1.0) * slope
        scores.append(fit - 0.5 * ((power - 1.0) / 1.0) ** 2)  # few values: stay near no change
    return float(_LAMBDAS[int(np.argmax(scores))])


def standardised(losses: Vector, transform: str = "power") -> Vector:
    """Losses as the model sees them: mean 0, variance 1, in the same order; constant ones are 0.

    `transform` is `power`, or `none` for standardising alone.
    """
    clipped = clip_outliers(losses)
    scale = np.std(clipped)
    if not scale > 1e-12 * max(1.0, float(np.max(np.abs(clipped)))):
        return np.zeros_like(clipped)
    z = (clipped - np.mean(clipped)) / scale
    if transform == "none":
        return np.asarray(z)
    z = yeo_johnson(z, best_power(z))
    return (z - np.mean(z)) / np.std(z)
