"""What goes into a suggestion step and what comes out of it: plain frozen records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from conf.schema.search import Scalar

Floats = NDArray[np.float64]
Vector = Floats
"""Shape (n,)."""
Matrix = Floats
"""Shape (n, m)."""
Rows = Floats
"""Shape (configurations, parameters): positions in [0, 1], NaN where a setting is inactive."""

Values = Mapping[str, Scalar]
Outcome = Literal["complete", "paused", "stopped", "failed"]
StrategyName = Literal["bayes", "random", "grid", "sobol", "evolution", "forest", "tpe", "skopt"]
Direction = Literal["minimize", "maximize"]
Origin = Literal[
    "default", "enqueued", "initial", "model", "local", "density", "random", "grid", "sobol"
]

UNINFORMATIVE_CAUSES = frozenset({"infrastructure", "killed", "driver", "user"})
"""Causes of a failure that say nothing about the configuration."""


@dataclass(frozen=True)
class Observation:
    """A trial that has ended (or reported at a rung): what it was and what came of it."""

    number: int
    values: Values
    value: float | None = None
    """The objective in the user's own units and direction; None where it has none."""
    outcome: Outcome = "complete"
    cause: str | None = None
    seconds: float | None = None
    """Training seconds, where known."""
    rung: int | None = None
    """Epochs after which `value` was taken; None: the full trial."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """Further objectives by name, in the user's own units and direction."""

    @cached_property
    def scored(self) -> bool:
        """Whether the objective is a finite number."""
        return self.outcome != "failed" and self.value is not None and math.isfinite(self.value)

    @property
    def infeasible(self) -> bool:
        """Whether the configuration itself is to blame for there being no objective."""
        return not self.scored and self.cause not in UNINFORMATIVE_CAUSES


@dataclass(frozen=True)
class EarlierTrial:
    """What a trial of an earlier study came to, as far as this study's space goes."""

    study: str
    values: Values
    """Settings that both studies search."""
    rank: float
    """Where it stood among the trials of its study: near 0 the best, near 1 the worst."""


@dataclass(frozen=True)
class BayesOptions:
    """All on, as measured in `benchmarks/search.py`."""

    transform: Literal["power", "none"] = "power"
    """How the losses are reshaped before the model sees them."""
    warp: bool = True
    """Bend the axes of ordered settings."""
    region: bool = True
    """Half of the model's picks in a trust region around the incumbent."""
    density: bool = True
    """Half of the picks by where the better trials crowd, not by the model."""
    plateau: bool = True
    """Take the loss to be flat where neighbouring results are exactly equal."""
    feasibility: bool = True
    """Keep away from where trials failed."""
    initial: int | None = None
    """Points of the initial design; None: by the number of settings."""


DEFAULT_OPTIONS = BayesOptions()


@dataclass(frozen=True)
class SkoptOptions:
    """Options of strategy `skopt`, by the names that scikit-optimize gives them."""

    estimator: Literal["GP", "RF", "ET", "GBRT"] = "GP"
    acquisition: Literal["EI", "LCB", "PI", "gp_hedge"] = "gp_hedge"
    lie: Literal["cl_min", "cl_mean", "cl_max"] = "cl_min"


@dataclass(frozen=True)
class Settings:
    """Options of the search: `also` for every strategy, `skopt` for that one, else `bayes`."""

    cost_aware: bool = False
    """Weigh improvement by the seconds that it is expected to take."""
    earlier: tuple[EarlierTrial, ...] = ()
    """What earlier studies found."""
    also: tuple[tuple[str, Direction], ...] = ()
    """Further objectives, of any strategy: the name of a measure, and where it is to go."""
    skopt: SkoptOptions = field(default_factory=SkoptOptions)


@dataclass(frozen=True)
class Suggestion:
    """One configuration to try."""

    number: int
    values: dict[str, Scalar]
    """Dotted key to plain Python scalar; settings inactive under their `when` are absent."""
    origin: Origin


@dataclass(frozen=True)
class Forecast:
    """What the model expects of a batch before it runs; all in the user's units."""

    gain: float
    """Expected improvement of the best objective by this batch, never negative."""
    regret: float
    """Expected improvement that is left anywhere in the space; small: time to stop."""
    seconds: float | None
    """Expected training seconds of the batch, summed over its trials; None: nothing timed yet."""


@dataclass(frozen=True)
class Proposal:
    """A batch of suggestions and the state that the next step is given."""

    suggestions: tuple[Suggestion, ...]
    state: dict[str, Any]
    """Small, JSON; opaque to everyone but the strategy."""
    exhausted: bool = False
    """No configuration is left that was not tried: the batch is shorter than asked."""
    dropped: tuple[Values, ...] = field(default=())
    """Enqueued values that were not asked because they had been tried before."""
    forecast: Forecast | None = None
    """What to expect; None where no model was asked."""
