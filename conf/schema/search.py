"""Section `search`: the search space, and the search strategy."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    Tag,
    model_validator,
)

from conf.schema.base import Section

Scalar = StrictBool | StrictInt | StrictFloat | str | None


def _as_tuple(given: object) -> object:
    """Lists as tuples: a "before" validator sees Python data, where a strict tuple field refuses
    lists."""
    return tuple(given) if isinstance(given, list) else given


Wanted = Scalar | Annotated[tuple[Scalar, ...], BeforeValidator(_as_tuple)]
StudyName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
DottedKey = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+$")]


class Prior(Section):
    """A prior belief about the best value; the search favours it in its early trials."""

    around: float
    """Value expected to be best."""
    width: Annotated[float, Field(gt=0)] | Annotated[str, Field(pattern=r"^\d+(\.\d+)?x$")] = "10x"
    """Uncertainty: a distance, or a factor like `10x`, within which the best value lies with a
    probability of about two thirds."""

    def reach(self) -> tuple[float, float]:
        """The values one width below and above."""
        if isinstance(self.width, str):
            factor = float(self.width[:-1])
            return self.around / factor, self.around * factor
        return self.around - self.width, self.around + self.width


class Range(Section):
    """An interval of numbers."""

    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    type: Literal["float", "int"] = "float"
    """Whether values are whole numbers."""
    scale: Literal["linear", "log", "logit"] = "linear"
    """Scale on which values are sampled and compared."""
    step: Annotated[float, Field(gt=0)] | None = None
    """Distance between permitted values, counted from `low`."""
    prior: Prior | None = None
    """Prior belief about the best value."""
    when: dict[str, Wanted] | None = None
    """Condition: values of other searched settings for which this one is active."""

    @model_validator(mode="before")
    @classmethod
    def _short_log(cls, given: object) -> object:
        """Accept `log: true` for `scale: log`."""
        if isinstance(given, dict) and "log" in given and "scale" not in given:
            given = dict(given)
            given["scale"] = "log" if given.pop("log") else "linear"
        return given

    @model_validator(mode="after")
    def _sound(self) -> Range:
        if not self.low <= self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}; swap them")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"a log scale needs low > 0, not {self.low:g}; use scale: linear")
        if self.scale == "logit" and not (self.low > 0 and self.high < 1):
            raise ValueError("a logit scale needs 0 < low and high < 1")
        if self.step is not None and self.scale != "linear":
            raise ValueError("step goes with a linear scale only; drop one of the two")
        if self.type == "int":
            for name, value in (("low", self.low), ("high", self.high), ("step", self.step or 1)):
                if not math.isclose(value, round(value), abs_tol=0.0, rel_tol=0.0):
                    raise ValueError(f"{name} {value:g} is no whole number, but type is int")
        return self

    @model_validator(mode="after")
    def _prior_inside(self) -> Range:
        if self.prior is None:
            return self
        around, width = self.prior.around, self.prior.width
        if not self.low <= around <= self.high:
            raise ValueError(f"prior.around {around:g} is outside {self.low:g} to {self.high:g}")
        if isinstance(width, str) and (float(width[:-1]) <= 1 or around <= 0):
            raise ValueError("prior.width as a factor needs one above 1x and around > 0")
        return self


class Choices(Section):
    """A closed list of values (categorical)."""

    choices: Annotated[tuple[Scalar, ...], Field(min_length=1)]
    """The permitted values."""
    ordered: bool = False
    """Whether the list is ordinal: neighbours are similar."""
    when: dict[str, Wanted] | None = None
    """Condition: values of other searched settings for which this one is active."""

    @model_validator(mode="after")
    def _distinct(self) -> Choices:
        seen = [(type(choice), choice) for choice in self.choices]
        if len(set(seen)) != len(seen):
            raise ValueError("the same choice is named twice")
        return self


def _dimension_tag(given: object) -> str:
    keys = given if isinstance(given, dict) else getattr(given, "__dict__", {})
    return "choices" if "choices" in keys else "range"


Dimension = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")],
    Discriminator(_dimension_tag),
]


class Rungs(Section):
    """Early stopping by successive halving (ASHA, arXiv:1810.05934): trials pause at rungs, and
    only the best of each rung are promoted."""

    first: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Epochs at the lowest rung."""
    factor: Annotated[int, Field(ge=2, le=16)] = 3
    """Reduction factor: one of so many trials is promoted, and each rung has so many times the
    epochs of the one below."""

    brackets: Annotated[int, Field(ge=1, le=8)] = 1
    """Number of brackets, each of which starts one rung higher than the one before (Hyperband,
    arXiv:1603.06560)."""

    def levels(self, epochs: int, bracket: int = 0) -> tuple[int, ...]:
        """Epochs at which a trial of `epochs` epochs ends its process; the last is `epochs`."""
        level, levels = self.first, []
        while level < epochs:
            levels.append(level)
            level *= self.factor
        return (*levels[bracket:], epochs)

    def bracket(self, number: int, epochs: int) -> int:
        """Bracket of a trial, or of a batch: each bracket costs about as many epochs.

        A function of the number alone; the golden ratio spreads the brackets evenly.
        """
        rungs = len(self.levels(epochs))
        shares = [
            self.factor ** (rungs - 1 - skipped) / (rungs - skipped)
            for skipped in range(min(self.brackets, rungs))
        ]
        place = (number * 0.6180339887498949) % 1.0 * sum(shares)
        for bracket, share in enumerate(shares):
            place -= share
            if place < 0:
                return bracket
        return len(shares) - 1


class SkoptSearch(Section):
    """Strategy `skopt`: how scikit-optimize's optimizer is set up."""

    estimator: Literal["GP", "RF", "ET", "GBRT"] = "GP"
    """The surrogate model: Gaussian process, random forest, extra trees, or gradient-boosted
    quantiles. The process is refitted for each suggestion, so that large batches take long."""
    acquisition: Literal["EI", "LCB", "PI", "gp_hedge"] = "gp_hedge"
    """Expected improvement, lower confidence bound, probability of improvement, or whichever of
    the three has gained most so far."""
    lie: Literal["cl_min", "cl_mean", "cl_max"] = "cl_min"
    """The loss that pending trials are assumed to have: the minimum, mean or maximum so far."""


class Search(Section):
    """Number of trials, and how they are proposed."""

    strategy: Literal["bayes", "random", "grid", "sobol", "evolution", "forest", "tpe", "skopt"] = (
        "bayes"
    )
    """Search strategy: Bayesian optimisation, random, grid, Sobol sequence, evolution (SHADE),
    random-forest surrogate (suits many conditions and thousands of trials), `tpe` of Optuna
    (extra `dense[tpe]`), or `skopt`, scikit-optimize's own optimizer."""
    trials: Annotated[int, Field(ge=1, le=100_000)] = 16
    """Number of trials, trial 0 (the study file as written) included."""
    batch_size: Annotated[int, Field(ge=1, le=1_024)] | None = None
    """Trials proposed together; the number of slots when absent."""
    synchronous: bool = False
    """Propose the next batch only after the whole previous batch has ended."""
    space: dict[DottedKey, Dimension] = Field(default_factory=dict)
    """Dotted key of `augment`, `model` or `train` to the values it may take; `auto` stands for the
    recommended ranges (see `space: auto` at the end)."""
    constraints: tuple[str, ...] = ()
    """Constraints on every configuration, like `model.width * train.batch_size <= 4096`."""
    cost_aware: bool = False
    """Divide the expected improvement by the expected duration of a trial (strategy `bayes`)."""
    learn_from: tuple[StudyName, ...] = ()
    """Transfer from earlier studies whose search spaces overlap; their trials are copied when the
    study begins (strategy `bayes`)."""
    rungs: Rungs | None = None
    """Early stopping at rungs; when absent, every trial trains all epochs."""
    skopt: SkoptSearch | None = None
    """Options of strategy `skopt`; absent: scikit-optimize's defaults."""

    @model_validator(mode="after")
    def _options_of_skopt(self) -> Search:
        if self.skopt is not None and self.strategy != "skopt":
            raise ValueError("skopt goes with strategy skopt; drop one of the two")
        return self

    @model_validator(mode="after")
    def _options_of_bayes(self) -> Search:
        for name in ("cost_aware", "learn_from"):
            if getattr(self, name) and self.strategy != "bayes":
                raise ValueError(f"{name} goes with strategy bayes; drop one of the two")
        return self

    @model_validator(mode="after")
    def _rungs_own_the_epochs(self) -> Search:
        if self.rungs is not None and "train.epochs" in self.space:
            raise ValueError("train.epochs cannot be searched while rungs are on; drop one of them")
        return self
