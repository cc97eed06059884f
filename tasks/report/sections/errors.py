"""Sections on the errors of the best trial: scores by class and the worst rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data.card import DataCard
from tasks.report import format as words
from tasks.report.sections.datacard import class_names
from tasks.study.reader import TrialRecord


@dataclass(frozen=True)
class ClassLine:
    """Formatted scores of one class."""

    name: str
    rows: str
    precision: str
    recall: str
    f1: str
    interval: str
    """Bootstrap interval of F1."""


@dataclass(frozen=True)
class MistakeLine:
    """A misclassified row; `shown` is its text, its numbers, or a PNG in base64."""

    shown: str
    id: int
    true: str
    predicted: str
    sure: str


@dataclass(frozen=True)
class MistakesSection:
    """The most confident mistakes."""

    pictures: bool
    rows: list[MistakeLine]


@dataclass(frozen=True)
class TextMetricLine:
    """A metric of generated texts, with the signature to quote it with."""

    name: str
    value: str
    interval: str
    signature: str


@dataclass(frozen=True)
class GeneratedText:
    """A generated text (`hypothesis`) beside its target (`reference`)."""

    source: str
    reference: str
    hypothesis: str
    score: str
    """chrF of this text."""


@dataclass(frozen=True)
class TextsSection:
    """Metrics of text generation and the texts with the lowest chrF."""

    rows: str
    metrics: list[TextMetricLine]
    worst: list[GeneratedText]


def class_lines(best: TrialRecord | None, card: DataCard | None) -> list[ClassLine]:
    """Scores of each class; empty if nothing is classified."""
    evaluation = best.evaluation if best else None
    if evaluation is None:
        return []
    names = class_names(card, len(evaluation.classes))
    return [
        ClassLine(
            name=name,
            rows=f"{scores.rows:,}",
            precision=words.number(scores.precision, 3),
            recall=words.number(scores.recall, 3),
            f1=words.number(scores.f1, 3),
            interval=f"{scores.f1_low:.3f} {words.DASH} {scores.f1_high:.3f}",
        )
        for name, scores in zip(names, evaluation.classes, strict=True)
    ]


def mistakes(
    best: TrialRecord | None, card: DataCard | None, examples: Mapping[int, str]
) -> MistakesSection | None:
    """The most confident mistakes of the best trial; `examples` maps row ids to what is shown."""
    evaluation = best.evaluation if best else None
    if evaluation is None or not (evaluation.mistakes and evaluation.classes):
        return None
    names = class_names(card, len(evaluation.classes))
    return MistakesSection(
        pictures=card is not None and card.inputs.kind == "image",
        rows=[
            MistakeLine(
                shown=examples.get(row.id, ""),
                id=row.id,
                true=names[row.target],
                predicted=names[row.prediction],
                sure=f"{100 * row.confidence:.0f} %",
            )
            for row in evaluation.mistakes
        ],
    )


def texts_section(best: TrialRecord | None, sources: Mapping[int, str]) -> TextsSection | None:
    """Metrics and worst texts of text generation; `sources` maps row ids to the input texts."""
    evaluation = best.evaluation if best else None
    if evaluation is None or not evaluation.worst:
        return None
    return TextsSection(
        rows=f"{evaluation.rows:,}",
        metrics=[
            TextMetricLine(
                name=name,
                value=words.number(metric.value),
                interval=words.interval(metric.low, metric.high),
                signature=evaluation.signatures.get(name, ""),
            )
            for name, metric in evaluation.metrics.items()
        ],
        worst=[
            GeneratedText(
                source=sources.get(each.id, ""),
                reference=each.reference,
                hypothesis=each.hypothesis,
                score=words.number(each.score, 1),
            )
            for each in evaluation.worst
        ],
    )
