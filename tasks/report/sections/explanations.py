"""Section of explanations: which inputs the champion's predictions rest on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.champion.rebuild_record import final_models
from tasks.packaging.explanations import ExplainedRow, Explanation, read_explained
from tasks.report import format
from tasks.study.champion_state import CurrentChampion
from tasks.study.reader import StudyRecord

MOST_COLUMNS = 20
STRONGEST = 55
"""Percent of colour behind what counts most."""


def champion_folder(record: StudyRecord, winner: CurrentChampion | None) -> Path | None:
    """Folder of the final training that is champion; None where it is not of this study."""
    if winner is None:
        return None
    same = (f for f in final_models(record) if record.trial(f.number).trial.digest == winner.digest)
    return next(reversed([each.folder for each in same]), None)


@dataclass(frozen=True)
class PieceView:
    """A piece of a text or a column of a row, with its attribution."""

    shown: str
    weight: str
    tone: str
    """`good` if it raises the prediction, else `bad`."""
    share: int
    """Strength of the colour behind it, in percent."""


@dataclass(frozen=True)
class ExampleView:
    """One explained prediction; `picture` and `heat` are PNGs in base64."""

    id: int
    target: str
    predicted: str
    sure: str
    picture: str
    heat: str
    pieces: list[PieceView]


@dataclass(frozen=True)
class ExampleGroup:
    """Explained predictions under one heading."""

    title: str
    examples: list[ExampleView]


@dataclass(frozen=True)
class ExplanationSection:
    """Explained predictions, and for tables the permutation importance of the columns."""

    kind: str
    objective: str
    why_not: str
    groups: list[ExampleGroup]
    columns: list[tuple[str, str, float]]
    left_out: int


def explanation_section(folder: Path | None) -> ExplanationSection | None:
    """The section of a final training's folder; None if nothing was explained."""
    found = read_explained(folder) if folder else None
    if found is None:
        return None
    return ExplanationSection(
        kind=found.kind,
        objective=format.name(found.objective),
        why_not=found.why_not,
        groups=[
            ExampleGroup(title, [_example(each) for each in given])
            for title, given in _groups(found)
            if given
        ],
        columns=_columns(found),
        left_out=max(0, len(found.columns) - MOST_COLUMNS),
    )


def _groups(found: Explanation) -> list[tuple[str, list[ExplainedRow]]]:
    numbers = any(each.sure is None for each in found.examples)
    titles = ("Nearest to their targets", "Furthest off") if numbers else ("Right", "Wrong")
    return [
        (title, [each for each in found.examples if each.right is right])
        for title, right in zip(titles, (True, False), strict=True)
    ]


def _example(given: ExplainedRow) -> ExampleView:
    strongest = max((abs(piece.weight) for piece in given.pieces), default=0.0) or 1.0
    return ExampleView(
        id=given.id,
        target=given.target,
        predicted=given.said,
        sure=_sure(given),
        picture=given.picture,
        heat=given.heat,
        pieces=[
            PieceView(
                shown=piece.shown,
                weight=f"{piece.weight:+.3g}",
                tone="good" if piece.weight > 0 else "bad",
                share=round(STRONGEST * abs(piece.weight) / strongest),
            )
            for piece in given.pieces
        ],
    )


def _sure(given: ExplainedRow) -> str:
    if given.sure is None:
        return ""
    about = f" about {given.about}" if given.about else ""
    return f"{100 * given.sure:.0f} % sure{about}"


def _columns(found: Explanation) -> list[tuple[str, str, float]]:
    """Name, loss with its deviation, and the bar's length in percent."""
    shown = found.columns[:MOST_COLUMNS]
    most = max((each.loss for each in shown), default=0.0) or 1.0
    return [
        (
            each.name,
            f"{format.signed(each.loss)} ± {format.number(each.deviation)}",
            round(max(0.0, 100 * each.loss / most), 1),
        )
        for each in shown
    ]
