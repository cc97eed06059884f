"""Conversion to scikit-optimize: `Space` and `OptimizeResult`, which its plots read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from conf.runtime.types import Floats
from conf.schema.search import Scalar
from tasks.suggest.problem import row_or_none
from tasks.suggest.space.parameters import Integer, Parameter, Real
from tasks.suggest.space.space import Space
from tasks.suggest.types import Direction, Observation

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult
    from skopt.space import Dimension
    from skopt.space import Space as SkoptSpace


def skopt_space(space: Space) -> SkoptSpace:
    """The same parameters as a `skopt.space.Space` (which knows no conditions and no logit)."""
    from skopt.space import Space as SkoptSpace

    return SkoptSpace([_dimension(parameter) for parameter in space.parameters])


def _dimension(parameter: Parameter) -> Dimension:
    from skopt import space as skopt

    if isinstance(parameter, (Real, Integer)) and parameter.low < parameter.high:
        prior = "log-uniform" if parameter.scale == "log" else "uniform"
        kind = skopt.Real if isinstance(parameter, Real) else skopt.Integer
        return kind(parameter.low, parameter.high, prior=prior, name=parameter.key)
    single = isinstance(parameter, (Real, Integer))
    choices = [parameter.value(0.5)] if single else list(parameter.values)  # type: ignore[union-attr]
    return skopt.Categorical(choices, name=parameter.key)


def optimize_result(
    space: Space, observations: Sequence[Observation], direction: Direction, seed: int
) -> OptimizeResult:
    """Scored observations as an `OptimizeResult`: losses in `func_vals`, so maximised ones negated.

    Settings inactive under their condition are shown mid-range, since every point there has a
    value in every dimension. Without observations `x` and `fun` are None.
    """
    from skopt.utils import create_result

    sign = -1.0 if direction == "maximize" else 1.0
    points, losses = [], []
    for observation in observations:
        row = row_or_none(space, observation.values)
        if observation.scored and row is not None and observation.value is not None:
            points.append(_point(space, row))
            losses.append(sign * observation.value)
    result = create_result(
        points or [_point(space, np.full(len(space), 0.5))], losses or [np.nan], skopt_space(space)
    )
    if not points:
        result.x, result.fun, result.x_iters, result.func_vals = None, None, [], np.array([])
    result.random_state = seed
    return result


def _point(space: Space, row: Floats) -> list[Scalar]:
    filled = np.where(np.isnan(row), 0.5, row)
    return [p.value(float(x)) for p, x in zip(space.parameters, filled, strict=True)]
