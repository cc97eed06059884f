"""A trial's `evaluation.json`: what its saved predictions are worth."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from conf.loading.digests import canonical_json
from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import DenseError
from conf.runtime.types import Array, Ints
from conf.schema.evaluate import OF_TEXTS, Evaluate
from conf.schema.study import TrialConfig
from tasks.evaluate import counts, intervals, labels, probability_metrics, texts
from tasks.evaluate.predictions import (
    AnyPredictions,
    LabelPredictions,
    Predictions,
    TextPredictions,
    read,
)

PREDICTIONS = "predictions.parquet"
EVALUATION = "evaluation.json"
WORST = 20
"""Texts that are named as written worst."""
MISTAKES = 12
"""Rows that are named as surest mistaken."""


class EvaluationRecord(BaseModel):
    """Frozen and closed: what is written is what is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Interval(EvaluationRecord):
    """A metric's value and its bootstrap interval (95 %)."""

    value: float
    low: float
    high: float


class ClassScores(EvaluationRecord):
    """One class: how many rows it has, and how well they are told from the others."""

    rows: int
    predicted: int
    precision: float
    recall: float
    f1: float
    f1_low: float
    f1_high: float
    """Ends of its bootstrap interval (95 %)."""


class Mistake(EvaluationRecord):
    """A misclassified row."""

    id: int
    target: int
    prediction: int
    confidence: float
    """Probability of the class predicted."""


class ReliabilityBin(EvaluationRecord):
    """Rows of like confidence: a point of the reliability plot."""

    rows: int
    confidence: float
    """Mean probability of the class predicted."""
    accuracy: float


class TextExample(EvaluationRecord):
    """A text that was written far from its target."""

    id: int
    score: float
    """chrF of this text alone."""
    reference: str
    hypothesis: str


class Evaluation(EvaluationRecord):
    """Everything that follows from the predictions of one trial on one split of the data."""

    rows: int
    """Rows predicted."""
    objective: str
    """Name of the metric that the search optimises."""
    metrics: dict[str, Interval]
    """Metric name to value and interval."""
    undefined: tuple[str, ...] = ()
    """Metrics that are no numbers on these rows: a ROC curve's area where all are of a class."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """Counts: rows are targets, columns predictions; empty where nothing is classified."""
    classes: tuple[ClassScores, ...] = ()
    """Scores by class, or by label where a row has several, in the order of the labels."""
    reliability: tuple[ReliabilityBin, ...] = ()
    """How often the model is right where it is so sure, from unsure to sure."""
    mistakes: tuple[Mistake, ...] = ()
    """The misclassified rows, most confident first."""
    signatures: dict[str, str] = {}
    """Metric name to what its value is to be quoted with."""
    worst: tuple[TextExample, ...] = ()
    """The texts that were written worst, the worst first."""
    texts: str = ""
    """How texts were compared."""
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
    named = (*kept.metrics, *kept.undefined) if kept else ()
    first = {name for name in named if "/" not in name}
    if kept and (kept.predictions, kept.objective, first, kept.texts) == (
        digest,
        section.objective,
        set(section.metrics),
        text_comparison(section),
    ):
        return kept
    try:
        evaluation = evaluate_predictions(read(source), section, digest)
    except ValueError as error:
        raise DenseError(f"{source} cannot be evaluated: {error}") from error
    write_atomically(folder / EVALUATION, canonical_json(evaluation.model_dump(mode="json")) + "\n")
    return evaluation


def evaluate_predictions(predictions: AnyPredictions, section: Evaluate, digest: str) -> Evaluation:
    """The evaluation of predictions whose file has the SHA-256 `digest`.

    Raises:
        ValueError: there are no rows, a label has no probability, or what the search goes by is no
            number.
    """
    scored = dict(sorted(intervals.bootstrap_intervals(predictions, section).items()))
    undefined = tuple(name for name, each in scored.items() if not math.isfinite(each.value))
    for name in undefined:
        if name in section.decisive or len(undefined) == len(scored):
            raise ValueError(
                f"{name} is {scored[name].value}: the model predicted no numbers, or {name} is not "
                "defined on these rows"
            )
    return Evaluation(
        rows=len(predictions.ids),
        objective=section.objective,
        metrics={
            name: Interval(value=each.value, low=each.low, high=each.high)
            for name, each in scored.items()
            if name not in undefined
        },
        undefined=undefined,
        predictions=digest,
        **(_classified(predictions) if isinstance(predictions, Predictions) else {}),
        **(
            {"classes": label_scores(predictions)}
            if isinstance(predictions, LabelPredictions)
            else {}
        ),
        **(_written(predictions, section) if isinstance(predictions, TextPredictions) else {}),
    )


def text_comparison(section: Evaluate) -> str:
    """What decides the value of a text's metric, as the evaluation records it."""
    if section.objective not in OF_TEXTS:
        return ""
    return canonical_json(section.texts.model_dump(mode="json", include={"tokenize", "lowercase"}))


def _classified(predictions: Predictions) -> dict[str, Any]:
    arrays = (predictions.targets, predictions.predictions, predictions.probabilities)
    matrix = counts.confusion(arrays[0], arrays[1], arrays[2].shape[1])
    return {
        "confusion": tuple(tuple(row) for row in matrix.tolist()),
        "classes": class_scores(matrix),
        "mistakes": _mistakes(predictions),
        "reliability": tuple(
            ReliabilityBin(**vars(each)) for each in probability_metrics.reliability(*arrays)
        ),
    }


def _written(predictions: TextPredictions, section: Evaluate) -> dict[str, Any]:
    found = {name: texts.signature(name, section.texts) for name in sorted(set(section.metrics))}
    alone = texts.sentence_scores(predictions, section.texts)
    worst = np.argsort(alone, kind="stable")[:WORST]
    return {
        "signatures": {name: given for name, given in found.items() if given is not None},
        "worst": tuple(
            TextExample(
                id=int(predictions.ids[row]),
                score=float(alone[row]),
                reference=predictions.references[row],
                hypothesis=predictions.hypotheses[row],
            )
            for row in worst
        ),
        "texts": text_comparison(section),
    }


def _mistakes(predictions: Predictions) -> tuple[Mistake, ...]:
    sure = predictions.probabilities[np.arange(len(predictions.ids)), predictions.predictions]
    wrong = np.flatnonzero(predictions.predictions != predictions.targets)
    surest = wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES]
    return tuple(
        Mistake(
            id=int(predictions.ids[row]),
            target=int(predictions.targets[row]),
            prediction=int(predictions.predictions[row]),
            confidence=float(sure[row]),
        )
        for row in surest
    )


def class_scores(matrix: Ints) -> tuple[ClassScores, ...]:
    """Scores of every class of a confusion matrix."""
    drawn = intervals.resampled_margins(matrix, intervals.RESAMPLES, np.random.default_rng(0))
    return _scores(counts.margins(matrix), counts.f1(drawn))


def label_scores(predictions: LabelPredictions) -> tuple[ClassScores, ...]:
    """Scores of every label."""
    found = labels.margins(predictions, np.ones((1, len(predictions.ids))))
    whole = counts.Margins(*(each[0] for each in vars(found).values()))
    drawn = intervals.resampled_weights(
        lambda weights: counts.f1(labels.margins(predictions, weights)),
        len(predictions.ids), intervals.RESAMPLES, 0,
    )  # fmt: skip
    return _scores(whole, drawn)


def _scores(margins: counts.Margins, drawn: Array) -> tuple[ClassScores, ...]:
    """Scores by class; `drawn` are resampled F1, (resamples, classes)."""
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    columns = (margins.targets, margins.predicted)
    scores = (counts.precision(margins), counts.recall(margins), counts.f1(margins), low, high)
    return tuple(
        ClassScores(
            rows=int(rows),
            predicted=int(predicted),
            precision=float(p),
            recall=float(r),
            f1=float(f),
            f1_low=float(least),
            f1_high=float(most),
        )
        for rows, predicted, p, r, f, least, most in zip(*columns, *scores, strict=True)
    )
