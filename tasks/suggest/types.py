"""Types of the search: observations, settings, suggestions and proposals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from conf.runtime.types import Floats
from conf.schema.search import Scalar

Vector = Floats
"""Shape (n,)."""
Matrix = Floats
"""Shape (n, m)."""
Rows = Floats
"""Shape (configurations, parameters): positions in [0, 1], NaN where a setting is inactive."""

Values = Mapping[str, Scalar]
"""A configuration: dotted key to value."""
SpaceDescription = Mapping[str, object]
"""Dotted key to dimension, as in `search.space`: JSON, which `Space` validates."""
StrategyState = Mapping[str, object]
"""Small JSON object that a strategy hands to its next step; opaque to everything else."""
Outcome = Literal["complete", "paused", "stopped", "failed"]
StrategyName = Literal["bayes", "random", "grid", "sobol", "evolution", "forest", "tpe", "skopt"]
Direction = Literal["minimize", "maximize"]
Origin = Literal[
    "default", "enqueued", "initial", "model", "local", "density", "random", "grid", "sobol"
]

UNINFORMATIVE_CAUSES = frozenset({"infrastructure", "killed", "driver", "user"})
"""Causes of a failure for which the configuration is not to blame."""


@dataclass(frozen=True)
class Observation:
    """The configuration and result of a trial that has ended or reported at a rung."""

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
    """A trial of an earlier study, restricted to the settings that both studies search."""

    study: str
    values: Values
    """Settings that both studies search."""
    rank: float
    """Relative rank in its study: near 0 the best, near 1 the worst."""


@dataclass(frozen=True)
class BayesOptions:
    """Ingredients of strategy `bayes`, which the ablations of `benchmarks/search.py` switch off."""

    transform: Literal["power", "none"] = "power"
    """Output transform of the losses."""
    warp: bool = True
    """Input warping of ordered settings."""
    region: bool = True
    """Half of the model's picks in a trust region around the incumbent."""
    density: bool = True
    """Half of the picks by the Parzen density ratio."""
    plateau: bool = True
    """Damp the posterior variance where neighbouring results tie exactly."""
    feasibility: bool = True
    """Weigh the acquisition by the probability of feasibility."""
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
    """Trials of earlier studies to transfer from."""
    also: tuple[tuple[str, Direction], ...] = ()
    """Further objectives, of any strategy: measure and direction."""
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
    """The model's forecast of a batch, in the user's units."""

    gain: float
    """Expected improvement of the best objective by this batch, never negative."""
    regret: float
    """Expected simple regret: improvement left anywhere in the space. Small: time to stop."""
    seconds: float | None
    """Expected training seconds, summed over the batch; None without timed trials."""


@dataclass(frozen=True)
class Proposal:
    """A batch of suggestions and the state that the next step is given."""

    suggestions: tuple[Suggestion, ...]
    state: StrategyState
    """Given to the strategy at the next step."""
    exhausted: bool = False
    """Every configuration has been tried: the batch is shorter than requested."""
    dropped: tuple[Values, ...] = field(default=())
    """Enqueued configurations that are not suggested because they have been tried before."""
    forecast: Forecast | None = None
    """None if no model was used."""
    warning: str | None = None
    """Why the strategy could not choose as it is meant to, for the user."""
