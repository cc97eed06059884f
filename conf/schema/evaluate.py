"""Section `evaluate`: what is measured, and which of it the search optimises."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from conf.schema.base import Section

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
"""Of the second of two classes, by alphabet: of 1 against 0, of yes against no."""
OF_CLASSES = (*get_args(MoreIsBetter), *get_args(LessIsBetter), *OF_TWO)
NOT_OF_LABELS = ("balanced_accuracy", "matthews")
OF_LABELS = (
    *(name for name in get_args(MoreIsBetter) if name not in NOT_OF_LABELS),
    *get_args(LabelMoreIsBetter),
    *get_args(LabelLessIsBetter),
)
"""`accuracy` is the share of rows whose labels are all right."""
OF_TEXTS = (*get_args(TextMoreIsBetter), *get_args(TextLessIsBetter))
OF_NUMBERS = (*get_args(NumberMoreIsBetter), *get_args(NumberLessIsBetter))
OF_TASK: dict[str, tuple[str, ...]] = {
    "classification": OF_CLASSES,
    "multilabel": OF_LABELS,
    "translation": OF_TEXTS,
    "summarization": OF_TEXTS,
    "regression": OF_NUMBERS,
}
"""Task to the metrics that score it."""


MeasureName = Literal["latency_ms", "params"]
"""What is measured of a model itself, at the end of its trial; less is better."""


class Limit(Section):
    """What an outcome has to keep."""

    name: str
    at_most: bool
    value: float

    def kept(self, value: float) -> bool:
        """Whether a value keeps it."""
        return value <= self.value if self.at_most else value >= self.value


_LIMIT = re.compile(r"\s*([A-Za-z]\w*)\s*([<>]=)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


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
    """The metrics that are computed for every trial; plain `precision`, `recall` and `f1` are of
    the second of two classes, by alphabet: of 1 against 0, of yes against no."""
    second: tuple[MetricName, ...] = ()
    """Metrics of the second answer (`data.second`); when empty accuracy and f1_macro of a class,
    rmse and mae of a number."""
    also: tuple[MetricName | MeasureName, ...] = ()
    """Further objectives: the search follows all of them, the first decides who is best. Short:
    `objective: [accuracy, latency_ms]`."""
    constraints: tuple[str, ...] = ()
    """What a trial's outcome has to keep, like `latency_ms <= 20`; one that does not is never best.
    `latency_ms` is the median of 20 passes of one row, on the CPU with the trial's threads."""
    texts: Texts = Texts()
    """Of tasks whose answer is a text."""

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Whether the objective is to fall or to rise."""
        return direction_of(self.objective)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The constraints, read."""
        return tuple(map(_limit, self.constraints))

    @property
    def decisive(self) -> tuple[str, ...]:
        """What the search goes by: a trial of which that is not known has failed."""
        return (self.objective, *self.needed)

    @property
    def needed(self) -> tuple[str, ...]:
        """What is to be known of a trial's outcome beside its objective."""
        names = (*self.also, *(limit.name for limit in self.limits))
        return tuple(dict.fromkeys(name for name in names if name != self.objective))

    @model_validator(mode="after")
    def _all_is_measured(self) -> Evaluate:
        measured = (*self.metrics, *get_args(MeasureName))
        for name in self.needed:
            if name not in measured:
                known = ", ".join(measured)
                raise ValueError(
                    f"{name!r} is not measured; add it to evaluate.metrics, or use one of {known}"
                )
        if len({self.objective, *self.also}) <= len(self.also):
            raise ValueError("the same objective is named twice; drop one")
        return self


def _limit(text: str) -> Limit:
    """The limit that a text states; ValueError when it states none."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no constraint; write one like latency_ms <= 20")
    name, comparison, value = found.groups()
    return Limit(name=name, at_most=comparison == "<=", value=float(value))


def direction_of(name: str) -> Literal["minimize", "maximize"]:
    """Whether a metric or measure is to fall or to rise; that of a second answer as the first's."""
    name = name.rpartition("/")[2]
    return "minimize" if name in MINIMIZED or name in get_args(MeasureName) else "maximize"
