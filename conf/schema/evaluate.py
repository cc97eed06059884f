"""Section `evaluate`: the metrics, and which of them the search optimises."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from conf.schema.base import Section, nearly_equal

# A metric of one's own is one file in `tasks/evaluate/own/` and one line in one of these lists: for
# classes in the first two, for labels, texts or numbers in those below.
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
OfTwoMoreIsBetter = Literal["precision", "recall", "f1"]
LabelMoreIsBetter = Literal["average_precision"]
LabelLessIsBetter = Literal["hamming_loss"]
TextMoreIsBetter = Literal["bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact_match"]
TextLessIsBetter = Literal["perplexity"]
NumberMoreIsBetter = Literal["r2"]
NumberLessIsBetter = Literal["mae", "rmse"]
MetricName = (
    MoreIsBetter
    | LessIsBetter
    | OfTwoMoreIsBetter
    | LabelMoreIsBetter
    | LabelLessIsBetter
    | TextMoreIsBetter
    | TextLessIsBetter
    | NumberMoreIsBetter
    | NumberLessIsBetter
)

MINIMIZED: frozenset[str] = frozenset(
    name
    for less in (LessIsBetter, LabelLessIsBetter, TextLessIsBetter, NumberLessIsBetter)
    for name in get_args(less)
)
OF_TWO = get_args(OfTwoMoreIsBetter)
"""Metrics of the positive class, the second of two in alphabetical order: 1 of 0 and 1, yes of no
and yes."""
OF_CLASSES = (*get_args(MoreIsBetter), *get_args(LessIsBetter), *OF_TWO)
NOT_OF_LABELS = ("balanced_accuracy", "matthews")
OF_LABELS = (
    *(name for name in get_args(MoreIsBetter) if name not in NOT_OF_LABELS),
    *get_args(LabelMoreIsBetter),
    *get_args(LabelLessIsBetter),
)
"""`accuracy` is subset accuracy: the share of rows with all labels right."""
OF_TEXTS = (*get_args(TextMoreIsBetter), *get_args(TextLessIsBetter))
OF_NUMBERS = (*get_args(NumberMoreIsBetter), *get_args(NumberLessIsBetter))
OF_TASK: dict[str, tuple[str, ...]] = {
    "classification": OF_CLASSES,
    "multilabel": OF_LABELS,
    "translation": OF_TEXTS,
    "summarization": OF_TEXTS,
    "regression": OF_NUMBERS,
}
"""Task to the metrics that are defined for it."""


MeasureName = Literal["latency_ms", "params"]
"""Measurements of a model itself, taken at the end of its trial; all are minimised."""


class Limit(Section):
    """A constraint on the outcome of a trial."""

    name: str
    at_most: bool
    value: float

    def satisfied(self, value: float) -> bool:
        """Whether a value satisfies the constraint, up to floating-point rounding."""
        if nearly_equal(value, self.value):
            return True
        return value <= self.value if self.at_most else value >= self.value


_LIMIT = re.compile(r"\s*([A-Za-z]\w*)\s*([<>]=)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


class Texts(Section):
    """How generated texts are scored, and how many are generated in each epoch."""

    tokenize: Literal["13a", "intl", "zh", "char", "none"] = "13a"
    """Tokenizer of sacreBLEU, for BLEU and ROUGE."""
    lowercase: bool = False
    """Ignore case (BLEU and chrF)."""
    rows: Annotated[int, Field(ge=1, le=1_000_000)] | None = 500
    """Number of validation rows, evenly spaced, for which a trial generates texts; all rows when
    absent."""
    search: Literal["greedy", "beam"] = "greedy"
    """Decoding during a trial: greedy, or beam search with the model's `beams`. The champion's test
    always uses the model's `beams`."""


class Evaluate(Section):
    """Metrics, computed by the same function of targets and predictions everywhere."""

    objective: MetricName = "accuracy"
    """Metric that the search optimises; whether it is minimised or maximised follows from the
    metric."""
    metrics: Annotated[tuple[MetricName, ...], Field(min_length=1)] = ("accuracy", "f1_macro")
    """Metrics computed for every trial. Plain `precision`, `recall` and `f1` are those of the
    positive class: the second of two in alphabetical order (1 of 0 and 1, yes of no and yes)."""
    second: tuple[MetricName, ...] = ()
    """Metrics of the auxiliary target (`data.second`); when empty, accuracy and f1_macro of a
    class, rmse and mae of a number."""
    also: tuple[MetricName | MeasureName, ...] = ()
    """Further objectives: the search looks for the Pareto front of all objectives, and the first
    decides which trial is best. Short form: `objective: [accuracy, latency_ms]`."""
    constraints: tuple[str, ...] = ()
    """Constraints on the outcome of a trial, like `latency_ms <= 20`; a trial that violates one is
    never best. `latency_ms` is the median of 20 forward passes of one row, on the CPU with the
    threads of the trial."""
    texts: Texts = Texts()
    """Scoring of generated texts."""

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Whether the objective is minimised or maximised."""
        return direction_of(self.objective)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The parsed constraints."""
        return tuple(map(_limit, self.constraints))

    @property
    def decisive(self) -> tuple[str, ...]:
        """Names that the search depends on: a trial without one of these values has failed."""
        return (self.objective, *self.needed)

    @property
    def needed(self) -> tuple[str, ...]:
        """Names that the search depends on beside the objective."""
        names = (*self.also, *(limit.name for limit in self.limits))
        return tuple(dict.fromkeys(name for name in names if name != self.objective))

    @model_validator(mode="after")
    def _needed_values_are_measured(self) -> Evaluate:
        measured = (*self.metrics, *get_args(MeasureName))
        for name in self.needed:
            if name not in measured:
                known = ", ".join(measured)
                raise ValueError(
                    f"{name!r} is not measured; add it to evaluate.metrics, or use one of {known}"
                )
        if len({self.objective, *self.also}) <= len(self.also):
            raise ValueError("an objective is named twice; drop one")
        return self


def _limit(text: str) -> Limit:
    """Parse a constraint; raises ValueError if it is none."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no constraint; write it like latency_ms <= 20")
    name, comparison, value = found.groups()
    return Limit(name=name, at_most=comparison == "<=", value=float(value))


def direction_of(name: str) -> Literal["minimize", "maximize"]:
    """Whether a metric or measurement is minimised or maximised; metrics of an auxiliary target
    like those of the main target."""
    name = name.rpartition("/")[2]
    return "minimize" if name in MINIMIZED or name in get_args(MeasureName) else "maximize"
