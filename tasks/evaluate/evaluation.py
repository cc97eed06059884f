"""A trial's `evaluation.json`: what its saved predictions are worth."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from conf.errors import DenseError
from conf.home import write_atomically
from conf.identity import canonical_json
from conf.study import TrialConfig
from tasks.evaluate import counts, intervals
from tasks.evaluate.predictions import Predictions, read

PREDICTIONS = "predictions.parquet"
EVALUATION = "evaluation.json"


class Record(BaseModel):
    """Frozen and closed: what is written is what is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Interval(Record):
    """A metric's value and its bootstrap interval (95 %)."""

    value: float
    low: float
    high: float


class ClassScores(Record):
    """One class: how many rows it has, and how well they are told from the others."""

    rows: int
    predicted: int
    precision: float
    recall: float
    f1: float


class Evaluation(Record):
    """Everything that follows from the predictions of one trial on one part of the data."""

    rows: int
    """Rows predicted."""
    objective: str
    """Name of the metric that the search optimises."""
    metrics: dict[str, Interval]
    """Metric name to value and interval."""
    confusion: tuple[tuple[int, ...], ...]
    """Counts: rows are targets, columns predictions."""
    classes: tuple[ClassScores, ...]
    """Scores by class, in the order of the labels."""
    predictions: str
    """SHA-256 of the predictions that this follows from."""

    @property
    def value(self) -> float:
        """The objective."""
        return self.metrics[self.objective].value

    @classmethod
    def read(cls, path: Path) -> Evaluation | None:
        """The evaluation in a file; None when there is none or it is not whole."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValueError):
            return None


def evaluate(folder: Path, config: TrialConfig) -> Evaluation:
    """Evaluate the predictions in a trial's folder and write `evaluation.json` beside them.

    A function of predictions and `evaluate` section alone: the same bytes come out each time. An
    evaluation of these very predictions that is already there is kept.

    Raises:
        DenseError: there are no readable predictions, or they are no numbers.
    """
    source = folder / PREDICTIONS
    try:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
    except OSError as error:
        raise DenseError(
            f"{source} cannot be read ({error.strerror}); a trial without predictions is trained "
            "again when the study is continued"
        ) from error
    section = config.evaluate
    kept = Evaluation.read(folder / EVALUATION)
    if kept and (kept.predictions, kept.objective, set(kept.metrics)) == (
        digest,
        section.objective,
        set(section.metrics),
    ):
        return kept
    try:
        evaluation = of_predictions(read(source), section.objective, section.metrics, digest)
    except ValueError as error:
        raise DenseError(f"{source} cannot be evaluated: {error}") from error
    write_atomically(folder / EVALUATION, canonical_json(evaluation.model_dump(mode="json")) + "\n")
    return evaluation


def of_predictions(
    predictions: Predictions, objective: str, names: tuple[str, ...], digest: str
) -> Evaluation:
    """The evaluation of predictions whose file has the SHA-256 `digest`.

    Raises:
        ValueError: there are no rows, a label has no probability, or a metric is no number.
    """
    arrays = (predictions.targets, predictions.predictions, predictions.probabilities)
    scored = intervals.bootstrap(sorted(set(names)), *arrays)
    for name, each in scored.items():
        if not math.isfinite(each.value):
            raise ValueError(f"{name} is {each.value}, so the model predicted no numbers")
    matrix = counts.confusion(arrays[0], arrays[1], arrays[2].shape[1])
    return Evaluation(
        rows=len(predictions.targets),
        objective=objective,
        metrics={
            name: Interval(value=each.value, low=each.low, high=each.high)
            for name, each in scored.items()
        },
        confusion=tuple(tuple(row) for row in matrix.tolist()),
        classes=class_scores(counts.margins(matrix)),
        predictions=digest,
    )


def class_scores(margins: counts.Margins) -> tuple[ClassScores, ...]:
    """Scores of every class."""
    columns = (margins.targets, margins.predicted)
    scores = (counts.precision(margins), counts.recall(margins), counts.f1(margins))
    return tuple(
        ClassScores(
            rows=int(rows),
            predicted=int(predicted),
            precision=float(p),
            recall=float(r),
            f1=float(f),
        )
        for rows, predicted, p, r, f in zip(*columns, *scores, strict=True)
    )
