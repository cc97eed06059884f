"""Where the best trial is right and where it errs, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data.card import DataCard
from tasks.report import format as words
from tasks.report.sections.datacard import class_names
from tasks.study.reader import TrialRecord


def classes(best: TrialRecord | None, card: DataCard | None) -> list[dict[str, str]]:
    """Scores of each class; none where nothing is classified."""
    evaluation = best.evaluation if best else None
    if evaluation is None:
        return []
    names = class_names(card, len(evaluation.classes))
    return [
        {"name": name, "rows": f"{scores.rows:,}", "precision": words.number(scores.precision, 3),
         "recall": words.number(scores.recall, 3), "f1": words.number(scores.f1, 3),
         "interval": f"{scores.f1_low:.3f} {words.DASH} {scores.f1_high:.3f}"}
        for name, scores in zip(names, evaluation.classes, strict=True)
    ]  # fmt: skip


def mistakes(
    best: TrialRecord | None, card: DataCard | None, examples: Mapping[int, str]
) -> dict[str, Any] | None:
    """What the best trial was surest of and wrong about; `examples` are rows by id."""
    evaluation = best.evaluation if best else None
    if evaluation is None or not (evaluation.mistakes and evaluation.classes):
        return None
    names = class_names(card, len(evaluation.classes))
    return {
        "pictures": card is not None and card.inputs.kind == "image",
        "rows": [
            {"shown": examples.get(row.id, ""), "id": row.id, "true": names[row.target],
             "predicted": names[row.prediction], "sure": f"{100 * row.confidence:.0f} %"}
            for row in evaluation.mistakes
        ],
    }  # fmt: skip


def written(best: TrialRecord | None, sources: Mapping[int, str]) -> dict[str, Any] | None:
    """Of a study of texts: what its metrics are to be quoted with, and what was written worst."""
    evaluation = best.evaluation if best else None
    if evaluation is None or not evaluation.worst:
        return None
    return {
        "rows": f"{evaluation.rows:,}",
        "metrics": [
            {"name": name, "value": words.number(found.value),
             "interval": words.interval(found.low, found.high),
             "signature": evaluation.signatures.get(name, "")}
            for name, found in evaluation.metrics.items()
        ],
        "worst": [
            {"source": sources.get(each.id, ""), "reference": each.reference,
             "hypothesis": each.hypothesis, "score": words.number(each.score, 1)}
            for each in evaluation.worst
        ],
    }  # fmt: skip
