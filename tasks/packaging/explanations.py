"""Records of a champion's explanations: JSON in the folder of the final training."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tasks.packaging.records import ChampionRecord

EXPLAINED = "explained.json"


class Attribution(ChampionRecord):
    """The contribution of a piece of a text, or of a column of a row, to a prediction."""

    shown: str
    """The piece itself; of a column its name and value."""
    weight: float
    """By how much it raises the predicted class or number; negative: it lowers it."""


class ExplainedRow(ChampionRecord):
    """One explained prediction on the test split."""

    id: int
    right: bool
    """Whether it is correct; of a regression, whether its error is among the smallest."""
    target: str
    said: str
    about: str = ""
    """Of a multi-label task, the label whose probability is explained."""
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
    """Permutation importance of a column on the test split (Breiman 2001,
    doi:10.1023/A:1010933404324)."""

    name: str
    loss: float
    """Mean loss of the objective over several permutations."""
    deviation: float
    """Standard deviation over the permutations."""


class Explanation(ChampionRecord):
    """The explanations of a champion."""

    kind: Literal["image", "text", "table"]
    objective: str
    why_not: str = ""
    """Why there are no explanations, with a remedy; empty if there are some."""
    examples: tuple[ExplainedRow, ...] = ()
    columns: tuple[ColumnImportance, ...] = ()
    """Of a table, those that count most first."""


def read_explained(folder: Path) -> Explanation | None:
    """The explanations kept in a folder; None if there are none."""
    try:
        return Explanation.model_validate_json((folder / EXPLAINED).read_bytes())
    except (OSError, ValueError):
        return None
