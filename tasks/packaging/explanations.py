"""What is explained, frozen, as JSON in the final training's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tasks.packaging.records import ChampionRecord

EXPLAINED = "explained.json"


class Attribution(ChampionRecord):
    """A piece of a text, or a column of a row, and what it counts for."""

    shown: str
    """The piece itself; of a column its name and value."""
    weight: float
    """By how much it raises the answer that was given; below 0: it speaks against it."""


class ExplainedRow(ChampionRecord):
    """One answer on the test part."""

    id: int
    right: bool
    """Of numbers: whether it is among the nearest."""
    target: str
    said: str
    about: str = ""
    """Where a row has any number of labels, the one whose probability is explained."""
    sure: float | None
    """Probability that the answer is right (of labels: about that one); None where it is a
    number."""
    pieces: tuple[Attribution, ...] = ()
    """Of a text its pieces in order, of a table's row its columns, those that count most first."""
    picture: str = ""
    """Of an image: a PNG in base64."""
    heat: str = ""
    """What its pixels count for, a PNG in base64: `FOR` where they raise the answer."""


class ColumnImportance(ChampionRecord):
    """A table's column and what quality is lost when it is shuffled over the test part."""

    name: str
    loss: float
    """Of the objective, the mean of several shuffles."""
    deviation: float
    """Of the shuffles."""


class Explanation(ChampionRecord):
    """What explains a champion."""

    kind: Literal["image", "text", "table"]
    objective: str
    why_not: str = ""
    """Why there is nothing, with a remedy; empty where there is."""
    examples: tuple[ExplainedRow, ...] = ()
    columns: tuple[ColumnImportance, ...] = ()
    """Of a table, those that count most first."""


def read_explained(folder: Path) -> Explanation | None:
    """What is kept in a folder; None where nothing was explained."""
    try:
        return Explanation.model_validate_json((folder / EXPLAINED).read_bytes())
    except (OSError, ValueError):
        return None
