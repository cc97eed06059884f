"""What the page says, as plain values: decided here, so that the template only lays it out."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conf.loading.digests import study_digest
from conf.loading.plan import describe
from conf.runtime import provenance
from data.card import DataCard, TableInputs
from tasks.evaluate.ensemble_selection import select_ensemble
from tasks.report import format as words
from tasks.report import reproduce
from tasks.report.figures import base
from tasks.report.figures.parallel_coordinates import parallel
from tasks.report.leaderboard import LeaderboardRow, leaderboard, measured, outcome, settings, short
from tasks.report.sections import head
from tasks.report.sections.compression import small
from tasks.report.sections.cost import cost
from tasks.report.sections.datacard import class_names, shown_card
from tasks.report.sections.errors import classes, mistakes, written
from tasks.report.sections.explanations import champion_folder, explained
from tasks.report.sections.gain import gain
from tasks.report.sections.importance import FittedQuantity, fitted_quantities, shown_importance
from tasks.report.sections.pareto import pareto_figures, pareto_front
from tasks.report.sections.partial_dependence import PartialDependence, partial_dependence
from tasks.study.champion_state import Winner
from tasks.study.identity import STUDY_FILE
from tasks.study.policy import levels
from tasks.study.reader import StudyRecord, TrialRecord

SHOWN_ROWS = 20
MOST_ROWS = 1_000
SHOWN_FEATURES = 10


@dataclass(frozen=True)
class Surroundings:
    """What the page shows that is not in the study's own record."""

    card: DataCard | None = None
    """The data card."""
    contact_sheet: bytes | None = None
    """A PNG of some rows, for images."""
    texts: Sequence[Sequence[str]] = ()
    """Some rows, each as it is stored and as a trial saw it, for texts."""
    numbers: Sequence[Sequence[Sequence[float]]] = ()
    """Some rows, scaled, each as it is stored and as a trial saw it, for tables."""
    examples: Mapping[int, str] = field(default_factory=dict)
    """Id of a validation row on which the best trial erred to its text, its numbers, or its picture
    as a PNG in base64."""
    sheet_caption: str = "Some rows of the training part"
    tracking_uri: str = ""
    versions: Mapping[str, str] = field(default_factory=provenance.versions)


def view(record: StudyRecord, around: Surroundings) -> dict[str, Any]:
    """Names and values for the template."""
    rows = list(leaderboard(record))
    winner, gained, best = Winner.of(record), gain(record), record.best
    learned = fitted_quantities(record)
    folder = champion_folder(record, winner)
    shrunk = small(folder, record.state.sign)
    seen = _effects(record, rows, learned)
    return {
        "study": record.study,
        "digest": study_digest(record.study),
        "objective": record.study.evaluate.objective,
        "when": head.when(record),
        "ending": head.ending(record),
        "headline": head.headline(record, winner),
        "tiles": head.tiles(record, winner, gained),
        "winner": winner,
        "ensemble": _ensemble(record) if winner else "",
        "explained": explained(folder),
        "small": shrunk,
        "best": best,
        "gain": gained,
        "table": _table(record, rows),
        "failures": _failures(rows),
        "importance": shown_importance(record, learned),
        "effects": seen,
        "cost": cost(record),
        "space": [(key, describe(d)) for key, d in record.study.search.space.items()],
        "card": shown_card(around.card),
        "classes": classes(best, around.card),
        "mistakes": mistakes(best, around.card, around.examples),
        "written": written(best, around.examples),
        "sheet": base64.b64encode(around.contact_sheet or b"").decode(),
        "texts": around.texts,
        "numbers": [
            [list(map(words.setting, seen[:SHOWN_FEATURES])) for seen in one]
            for one in around.numbers
        ],
        "features": _features(around.card),
        "sheet_caption": around.sheet_caption,
        "command": reproduce.command(record.study, record.folder / STUDY_FILE),
        "needed": reproduce.needed(record.study),
        "facts": _facts(record, around),
        "study_yaml": reproduce.as_yaml(record.study),
        "best_yaml": reproduce.as_yaml(best.config) if best else "",
        "named": words.name,
        "figures": {
            **_figures(record, rows, best, around.card, seen),
            **seen.figures,
            **(shrunk.figures if shrunk else {}),
        },
    }


def _ensemble(record: StudyRecord) -> str:
    """What the trials would reach together; empty where nothing can be averaged."""
    found = select_ensemble(record.complete(), record.study.evaluate)
    if found is None:
        return ""
    if len(found.weights) < 2:
        return f"none of the trials is better than trial {next(iter(found.weights))} alone"
    shares = ", ".join(f"{number} ({share:.0%})" for number, share in found.weights.items())
    return (
        f"trials {shares} together reach {words.name(record.study.evaluate.objective)} "
        f"{found.value:.4f} on the validation part that they were picked on, the best alone "
        f"{found.single:.4f}; `dense ensemble {record.study.name}` makes one model of them"
    )


def _effects(
    record: StudyRecord, rows: Sequence[LeaderboardRow], learned: Sequence[FittedQuantity]
) -> PartialDependence:
    """Of the objective, which is the first that was learnt of."""
    objective = record.study.evaluate.objective
    first = next((each for each in learned if each.of == words.name(objective)), None)
    return partial_dependence(first, rows, record.study.search.space, objective, record.state.sign)


def _features(card: DataCard | None) -> list[str]:
    """Names of a table's first features."""
    if card is None or not isinstance(card.inputs, TableInputs):
        return []
    return list(card.inputs.names[:SHOWN_FEATURES])


def _figures(
    record: StudyRecord,
    rows: Sequence[LeaderboardRow],
    best: TrialRecord | None,
    card: DataCard | None,
    seen: PartialDependence,
) -> dict[str, base.Figure]:
    """Figures by the identity of their place on the page; what there is nothing for is absent."""
    objective, sign = record.study.evaluate.objective, record.state.sign
    ranked = [row.trial for row in rows if row.place is not None]
    found: dict[str, base.Figure] = {}
    if not ranked or best is None:
        return found
    found["history"] = base.history(rows, objective, sign, seen.chance)
    shown = dict.fromkeys([best.number, 0, *ranked[: base.MOST_CURVES]])
    lines = {number: record.trial(number).curve for number in shown}
    if any(lines.values()):
        found["curves"] = base.curves(
            lines, objective, best.number, sign, levels(record.study, best.trial)[:-1]
        )
    if record.study.search.space and len(ranked) > 1:
        found["parallel"] = parallel(rows, record.study.search.space, objective, sign)
    found |= pareto_figures(rows, objective, sign, record.study.evaluate.also)
    evaluation = best.evaluation
    if evaluation and evaluation.confusion:
        found["confusion"] = base.confusion(
            evaluation.confusion, class_names(card, len(evaluation.confusion))
        )
    if evaluation and evaluation.reliability:
        found["reliability"] = base.reliability(evaluation.reliability)
    return found


def _table(record: StudyRecord, rows: Sequence[LeaderboardRow]) -> dict[str, Any]:
    keys = settings(record)
    ends = [end for row in rows for end in (row.low, row.high, row.value) if end is not None]
    low, high = base.readable_range(ends, record.state.sign)
    on_it, names = set(pareto_front(record)), measured(record)
    return {
        "measures": measured(record),
        "front": len(on_it),
        "settings": [(key, short(keys)[key]) for key in keys],
        "rows": [
            {
                **_table_row(row, keys, low, high),
                "front": row.trial in on_it,
                "measures": [
                    words.setting(row.measures[name]) if name in row.measures else ""
                    for name in names
                ],
            }
            for row in rows[:MOST_ROWS]
        ],
        "shown": SHOWN_ROWS,
        "left_out": max(0, len(rows) - MOST_ROWS),
    }


def _table_row(row: LeaderboardRow, keys: Sequence[str], low: float, high: float) -> dict[str, Any]:
    def share(value: float | None) -> float:
        value = low if value is None else value
        return round(100 * min(max((value - low) / (high - low), 0.0), 1.0), 2)

    left = share(row.low)
    return {
        "row": row,
        "value": words.number(row.value),
        "interval": words.interval(row.low, row.high),
        "left": left,
        "width": max(share(row.high) - left, 0.5) if row.low is not None else 0,
        "at": share(row.value),
        "cells": [words.setting(row.values[key]) if key in row.values else "" for key in keys],
        "seconds": words.duration(row.seconds),
        "outcome": outcome(row),
    }


def _failures(rows: Sequence[LeaderboardRow]) -> list[dict[str, Any]]:
    """Failed trials by cause, the most frequent first."""
    causes: dict[str, list[LeaderboardRow]] = defaultdict(list)
    for row in rows:
        if row.status == "failed":
            causes[row.cause or "error"].append(row)
    return [
        {"cause": cause, "count": len(found), "trials": ", ".join(str(r.trial) for r in found[:12])
         + (", …" if len(found) > 12 else ""), "message": found[0].message}
        for cause, found in sorted(causes.items(), key=lambda item: -len(item[1]))
    ]  # fmt: skip


def _facts(record: StudyRecord, around: Surroundings) -> list[tuple[str, str]]:
    study = record.study
    return [
        ("study digest", study_digest(study)),
        ("seed", str(study.seed)),
        ("strategy", f"{study.search.strategy}, {words.count(study.search.trials, 'trial')}"),
        ("home", str(record.home.path)),
        *([("data key", around.card.key)] if around.card and around.card.key else []),
        *([("tracking", around.tracking_uri)] if around.tracking_uri else []),
        ("machine", provenance.machine()),
        ("versions", ", ".join(f"{name} {found}" for name, found in around.versions.items())),
    ]
