"""Section `evaluate`: what is measured, and which of it the search optimises."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from conf.section import Section

# A metric of one's own is one file in `tasks/evaluate/own/` and one line in one of these two lists.
MoreIsBetter = Literal[
    "accuracy",
    "balanced_accuracy",
    "matthews",
    "precision_macro",
    "precision_micro",
    "precision_weighted",
    "recall_macro",
    "recall_micro",
    "recall_weighted",
    "f1_macro",
    "f1_micro",
    "f1_weighted",
]
LessIsBetter = Literal["log_loss"]
MetricName = MoreIsBetter | LessIsBetter

MINIMIZED: frozenset[str] = frozenset(get_args(LessIsBetter))


class Evaluate(Section):
    """Metrics, computed by one function from (targets, predictions) everywhere."""

    objective: MetricName = "accuracy"
    """The metric that the search optimises; its direction follows from the metric."""
    metrics: Annotated[tuple[MetricName, ...], Field(min_length=1)] = ("accuracy", "f1_macro")
    """The metrics that are computed for every trial."""

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Whether the objective is to fall or to rise."""
        return "minimize" if self.objective in MINIMIZED else "maximize"

    @model_validator(mode="after")
    def _objective_is_computed(self) -> Evaluate:
        if self.objective not in self.metrics:
            raise ValueError(
                f"the objective {self.objective!r} is not computed; add it to evaluate.metrics"
            )
        return self
