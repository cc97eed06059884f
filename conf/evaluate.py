"""Section `evaluate`: what is measured, and which of it the search optimises."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from conf.section import Section

# A metric of one's own is one file in `tasks/evaluate/own/` and one line in one of these lists: for
# classes in the first two, for texts or numbers in those below.
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
    "roc_auc",
]
LessIsBetter = Literal["log_loss", "ece"]
TextMoreIsBetter = Literal["bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact_match"]
TextLessIsBetter = Literal["perplexity"]
NumberMoreIsBetter = Literal["r2"]
NumberLessIsBetter = Literal["mae", "rmse"]
MetricName = (
    MoreIsBetter
    | LessIsBetter
    | TextMoreIsBetter
    | TextLessIsBetter
    | NumberMoreIsBetter
    | NumberLessIsBetter
)

MINIMIZED: frozenset[str] = frozenset(
    (*get_args(LessIsBetter), *get_args(TextLessIsBetter), *get_args(NumberLessIsBetter))
)
OF_CLASSES = (*get_args(MoreIsBetter), *get_args(LessIsBetter))
OF_TEXTS = (*get_args(TextMoreIsBetter), *get_args(TextLessIsBetter))
OF_NUMBERS = (*get_args(NumberMoreIsBetter), *get_args(NumberLessIsBetter))
OF_TASK: dict[str, tuple[str, ...]] = {
    "classification": OF_CLASSES,
    "translation": OF_TEXTS,
    "summarization": OF_TEXTS,
    "regression": OF_NUMBERS,
}
"""Task to the metrics that score it."""


class Texts(Section):
    """How written texts are compared, and how many are written at the end of an epoch."""

    tokenize: Literal["13a", "intl", "zh", "char", "none"] = "13a"
    """sacreBLEU's way to divide texts into words."""
    lowercase: bool = False
    """Compare without regard to case (BLEU and chrF)."""
    rows: Annotated[int, Field(ge=1, le=1_000_000)] | None = 500
    """Validation rows, evenly chosen, that a trial writes texts for; all of them when absent."""
    search: Literal["greedy", "beam"] = "greedy"
    """How a trial writes them: always the likeliest next token, or as the model's `beams` say. The
    champion's test is always taken with the model's `beams`."""


class Evaluate(Section):
    """Metrics, computed by one function from (targets, predictions) everywhere."""

    objective: MetricName = "accuracy"
    """The metric that the search optimises; its direction follows from the metric."""
    metrics: Annotated[tuple[MetricName, ...], Field(min_length=1)] = ("accuracy", "f1_macro")
    """The metrics that are computed for every trial."""
    texts: Texts = Texts()
    """Of tasks whose answer is a text."""

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
