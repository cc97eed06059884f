"""Which columns of a file are what: the target, the text, the two sides of a pair."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from conf.runtime.errors import BadInput
from tasks.draft.table_profile import ColumnProfile, Sheet, first_line

TARGETS = ("label", "target", "class", "y", "category", "labels", "outcome", "sentiment", "tags")
"""Names that people give to what is to be predicted, the most telling first."""
SIDES = (
    ("source", "target"), ("src", "tgt"), ("input", "output"), ("prompt", "completion"),
    ("question", "answer"), ("article", "summary"), ("document", "summary"), ("text", "summary"),
    ("article", "highlights"),
)  # fmt: skip
LANGUAGE = re.compile(r"[a-z]{2}([-_][A-Za-z]{2})?")
MOST_CLASSES = 1_000
FEW = 20
"""Whole numbers of so many values at most are taken for classes."""
FEWEST_ROWS = 3
"""Of a class: each split needs one."""
SENTENCE = 40
"""Mean characters from which a text is more than a name."""

Task = Literal["classification", "multilabel", "regression"]


@dataclass(frozen=True)
class Labelled:
    """Rows with a target: texts where there is a column of text, else numbers and words."""

    target: ColumnProfile
    task: Task
    text: ColumnProfile | None
    features: tuple[str, ...]
    """Columns of numbers, categories, dates and times."""
    without: tuple[str, ...]
    """All other columns."""
    left_out: tuple[str, ...]
    """These, each with the reason."""


@dataclass(frozen=True)
class Paired:
    """Texts, and texts to be written for them."""

    source: ColumnProfile
    target: ColumnProfile
    header: bool


def pairs_of(sheet: Sheet, target: str | None) -> Paired | None:
    """The two sides, where the file holds pairs; `target` names the one that is written."""
    plain = {column.name.strip().lower(): column for column in sheet.columns}
    texts = [column for column in sheet.columns if not column.numeric and column.there]
    if target is not None:
        chosen = sheet.column(target)
        others = [column for column in texts if column.is_text and column is not chosen]
        return Paired(others[0], chosen, True) if chosen.is_text and others else None
    for source, written in SIDES:
        if source in plain and written in plain and plain[written] in texts:
            distinct = len(plain[written].counts) > 0.1 * len(plain[written].there)
            if distinct and plain[source] in texts:
                return Paired(plain[source], plain[written], True)
    if len(sheet.columns) == 2 and len(texts) == 2:
        return _two(sheet, texts)
    return None


def _two(sheet: Sheet, texts: Sequence[ColumnProfile]) -> Paired | None:
    """A file of two columns of texts, with the names of languages or with no names at all."""
    names = all(LANGUAGE.fullmatch(column.name) for column in texts)
    if names:
        return Paired(texts[0], texts[1], True)
    if sheet.path.suffix.lower() != ".tsv":
        return None
    nearly_each = all(len(column.counts) > 0.5 * len(column.there) for column in texts)
    header = first_line(sheet.path, sheet.settings)
    without = any(" " in name.strip() for name in header)
    return Paired(texts[0], texts[1], not without) if nearly_each else None


def labelled(sheet: Sheet, target: str | None) -> Labelled:
    """The target and what it is predicted from.

    Raises:
        BadInput: nothing can be predicted, or it is not known what.
    """
    if sheet.headless:
        line = ", ".join(column.name for column in sheet.columns[:6])
        raise BadInput(
            f"{sheet.path}: its first line ({line[:80]}) looks like a row and not like names of "
            "columns; put a line of names before it"
        )
    chosen = sheet.column(target) if target is not None else _target(sheet)
    task = task_of(chosen)
    others = [column for column in sheet.columns if column is not chosen]
    texts = [column for column in others if column.is_text]
    features = [c for c in others if c.there and (c.numeric or c.is_words or c.is_time)]
    features = [c for c in features if not c.is_number_a_row and not c.is_constant]
    text = _read(texts, features)
    if text is not None:
        features = []
    left = [column for column in others if column is not text and column not in features]
    if text is None and not features:
        unread = f" (left out: {', '.join(_reason(column, None) for column in left)})" * bool(left)
        raise BadInput(
            f"{sheet.path}: besides {chosen.name!r} there are neither texts nor numbers nor words "
            f"to learn from{unread}; add columns of them"
        )
    return Labelled(
        chosen, task, text,
        features=tuple(column.name for column in features),
        without=tuple(column.name for column in left),
        left_out=tuple(_reason(column, text) for column in left),
    )  # fmt: skip


def _read(
    texts: Sequence[ColumnProfile], features: Sequence[ColumnProfile]
) -> ColumnProfile | None:
    """The column of texts to learn from, where that says more than the numbers and words: beside
    sentences marks of 0 and 1 count for nothing, which mostly are further answers."""
    if not texts:
        return None
    longest = max(texts, key=lambda column: sum(map(len, column.there)))
    sentences = sum(map(len, longest.there)) > SENTENCE * len(longest.there)
    telling = [column for column in features if not (sentences and column.is_flag)]
    return longest if len(telling) < 2 * len(texts) else None


def _reason(column: ColumnProfile, text: ColumnProfile | None) -> str:
    if not column.there:
        why = "empty"
    elif column.is_number_a_row and not column.is_time:
        why = "it only names the rows"
    elif column.is_constant:
        why = f"always {column.there[0][:20]}"
    elif text is not None:
        why = f"texts are read from {text.name!r} alone"
    elif column.is_text:
        why = "text"
    else:
        why = f"{len(column.counts):,} words, too many or each too rare to learn from"
    return f"{column.name!r} ({why})"


def _target(sheet: Sheet) -> ColumnProfile:
    """The column that looks like a target: by its name, else the last, else the only one with
    classes."""
    plain = {column.name.strip().lower(): column for column in sheet.columns}
    for name in TARGETS:
        if name in plain and plain[name].there:
            return plain[name]
    fitting = [column for column in sheet.columns if _is_classes(column)]
    last = sheet.columns[-1]
    number = last.numeric and not last.is_number_a_row and not last.is_constant
    if last in fitting or (number and not fitting):
        return last
    if len(fitting) == 1 and not (number and fitting[0] is not sheet.columns[0]):
        return fitting[0]
    known = ", ".join(repr(column.name) for column in sheet.columns)
    raise BadInput(f"{sheet.path}: name the column to predict with --target; there are {known}")


def _is_classes(column: ColumnProfile) -> bool:
    many = len(column.counts)
    if column.between is not None:
        return 2 <= len(column.labels) <= MOST_CLASSES
    if column.is_text or column.fractions or not 2 <= many <= MOST_CLASSES:
        return False
    return many <= FEW if column.numeric else many <= 0.2 * len(column.there)


def task_of(column: ColumnProfile) -> Task:
    """Whether a target is a class, any number of labels, or a number.

    Raises:
        BadInput: it is none of them.
    """
    if column.between is not None and len(column.labels) <= MOST_CLASSES:
        return "multilabel"
    many = len(column.counts)
    if many < 2:
        raise BadInput(
            f"the column {column.name!r} has {many} value{'s' * (many != 1)}, so that there is "
            "nothing to predict; name another one with --target"
        )
    if column.numeric and (column.fractions or many > FEW):
        return "regression"
    if many > MOST_CLASSES or many > 0.5 * len(column.there) > FEWEST_ROWS:
        raise BadInput(
            f"the column {column.name!r} has {many:,} different values in {len(column.there):,} "
            "rows, which is no target; name another one with --target"
        )
    return "classification"
