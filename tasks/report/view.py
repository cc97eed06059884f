"""The view of a study's page: typed values, so that the template only lays them out."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from conf.loading.digests import study_digest
from conf.loading.plan import describe
from conf.runtime import provenance
from conf.schema.study import Study
from data.card import DataCard, TableInputs
from tasks.evaluate.ensemble_selection import select_ensemble
from tasks.evaluate.evaluation import PREDICTIONS
from tasks.evaluate.predictions import NumberPredictions, read
from tasks.report import format as words
from tasks.report import reproduce
from tasks.report.figures import base
from tasks.report.figures.parallel_coordinates import parallel
from tasks.report.figures.regression import regression_figures
from tasks.report.leaderboard import LeaderboardRow, leaderboard
from tasks.report.sections import head
from tasks.report.sections.board import (
    BoardSection,
    FailureCause,
    board_section,
    failure_causes,
)
from tasks.report.sections.compression import CompressionSection, compression_section
from tasks.report.sections.cost import cost
from tasks.report.sections.datacard import DataSection, class_names, data_section
from tasks.report.sections.errors import (
    ClassLine,
    MistakesSection,
    TextsSection,
    class_lines,
    mistakes,
    texts_section,
)
from tasks.report.sections.explanations import (
    ExplanationSection,
    champion_folder,
    explanation_section,
)
from tasks.report.sections.gain import Gain, gain
from tasks.report.sections.importance import (
    FittedQuantity,
    ImportanceBars,
    fitted_quantities,
    shown_importance,
)
from tasks.report.sections.pareto import pareto_figures
from tasks.report.sections.partial_dependence import PartialDependence, partial_dependence
from tasks.study.champion_state import CurrentChampion
from tasks.study.identity import STUDY_FILE
from tasks.study.policy import rung_epochs
from tasks.study.reader import StudyRecord, TrialRecord

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
    sheet_caption: str = "Some rows of the training split"
    tracking_uri: str = ""
    versions: Mapping[str, str] = field(default_factory=provenance.versions)


@dataclass(frozen=True)
class StudyPage:
    """Everything that `page.html` shows; its fields are the template's variables.

    A section that is None, empty or without a figure is left out of the page.
    """

    study: Study
    objective: str
    when: str
    ending: str
    headline: str
    tiles: list[head.Tile]
    winner: CurrentChampion | None
    ensemble: str
    explained: ExplanationSection | None
    small: CompressionSection | None
    best: TrialRecord | None
    gain: Gain | None
    table: BoardSection
    failures: list[FailureCause]
    importance: list[ImportanceBars]
    effects: PartialDependence
    cost: list[tuple[str, str]]
    space: list[tuple[str, str]]
    card: DataSection | None
    classes: list[ClassLine]
    mistakes: MistakesSection | None
    written: TextsSection | None
    sheet: str
    """The contact sheet in base64."""
    texts: Sequence[Sequence[str]]
    numbers: list[list[list[str]]]
    features: list[str]
    sheet_caption: str
    command: str
    needed: list[str]
    facts: list[tuple[str, str]]
    study_yaml: str
    best_yaml: str
    named: Callable[[str], str]
    """A metric's name in words."""
    figures: Mapping[str, base.Figure]
    """Figures by the id of their element on the page."""


def view(record: StudyRecord, around: Surroundings) -> StudyPage:
    """The page of a study."""
    rows = list(leaderboard(record))
    winner, gained, best = CurrentChampion.of(record), gain(record), record.best
    fitted = fitted_quantities(record)
    folder = champion_folder(record, winner)
    compression = compression_section(folder, record.state.sign)
    dependence = _partial_dependence(record, rows, fitted)
    return StudyPage(
        study=record.study,
        objective=record.study.evaluate.objective,
        when=head.when(record),
        ending=head.ending(record),
        headline=head.headline(record, winner),
        tiles=head.tiles(record, winner, gained),
        winner=winner,
        ensemble=_ensemble(record) if winner else "",
        explained=explanation_section(folder),
        small=compression,
        best=best,
        gain=gained,
        table=board_section(record, rows),
        failures=failure_causes(rows),
        importance=shown_importance(record, fitted),
        effects=dependence,
        cost=cost(record),
        space=[(key, describe(d)) for key, d in record.study.search.space.items()],
        card=data_section(around.card),
        classes=class_lines(best, around.card),
        mistakes=mistakes(best, around.card, around.examples),
        written=texts_section(best, around.examples),
        sheet=base64.b64encode(around.contact_sheet or b"").decode(),
        texts=around.texts,
        numbers=[
            [list(map(words.setting, values[:SHOWN_FEATURES])) for values in sample]
            for sample in around.numbers
        ],
        features=_features(around.card),
        sheet_caption=around.sheet_caption,
        command=reproduce.command(record.study, record.folder / STUDY_FILE),
        needed=reproduce.needed(record.study),
        facts=_facts(record, around),
        study_yaml=reproduce.as_yaml(record.study),
        best_yaml=reproduce.as_yaml(best.config) if best else "",
        named=words.name,
        figures={
            **_figures(record, rows, best, around.card, dependence),
            **dependence.figures,
            **(compression.figures if compression else {}),
        },
    )


def _ensemble(record: StudyRecord) -> str:
    """Score of the best ensemble of the trials; empty if their predictions cannot be averaged."""
    found = select_ensemble(record.complete(), record.study.evaluate)
    if found is None:
        return ""
    if len(found.weights) < 2:
        return f"none of the trials is better than trial {next(iter(found.weights))} alone"
    shares = ", ".join(f"{number} ({share:.0%})" for number, share in found.weights.items())
    objective = words.name(record.study.evaluate.objective)
    return (
        f"trials {shares} together reach {objective} {words.number(found.value)} on the validation "
        f"split that they were selected on, the best one alone {words.number(found.single)}; "
        f"`dense ensemble {record.study.name}` makes one model of them"
    )


def _partial_dependence(
    record: StudyRecord, rows: Sequence[LeaderboardRow], learned: Sequence[FittedQuantity]
) -> PartialDependence:
    """Partial dependence of the objective on the searched settings."""
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
            lines, objective, best.number, sign, rung_epochs(record.study, best.trial)[:-1]
        )
    if record.study.search.space and len(ranked) > 1:
        found["parallel"] = parallel(rows, record.study.search.space, objective, sign)
    found |= pareto_figures(rows, objective, sign, record.study.evaluate.also)
    evaluation = best.evaluation
    if evaluation and evaluation.confusion:
        found["confusion"] = base.confusion(
            evaluation.confusion, class_names(card, len(evaluation.confusion))
        )
    if (numbers := _numbers(best)) is not None:
        found |= regression_figures(numbers)
    if evaluation and evaluation.reliability:
        found["reliability"] = base.reliability(evaluation.reliability)
    return found


def _numbers(best: TrialRecord) -> NumberPredictions | None:
    """The best trial's saved predictions, if it predicts numbers."""
    path = best.path / PREDICTIONS
    predictions = read(path) if best.study.data.task == "regression" and path.exists() else None
    return predictions if isinstance(predictions, NumberPredictions) else None


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
