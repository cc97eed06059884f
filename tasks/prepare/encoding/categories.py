"""Fit the encoding of a table's raw columns on the training split and apply it everywhere.

Categories get an input each (one-hot), dates and times calendar features; numbers stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from conf.runtime.errors import BadInput
from conf.runtime.types import Bools
from conf.schema.data import CategoricalColumns
from data.encoding.table_encoder import (
    DAY,
    GAP,
    OTHER,
    ColumnSpec,
    Floats,
    expand,
    input_names,
)
from data.sources.categories import LEAVE_OUT
from data.sources.rows import Rows, fixed_list

Texts = Sequence[str | None]


def as_inputs(rows: Rows, train: Bools, rules: CategoricalColumns) -> Rows:
    """The rows with the inputs that models see in place of raw columns; categories come last.

    Args:
        rows: of a table, a feature a raw column.
        train: mask of the training split, of shape (rows,).
        rules: rows that a category needs, and categories that a column may have.

    Raises:
        BadInput: a column names its rows, or has too many categories, or none that occurs often
            enough.
    """
    features = dict(zip(rows.names, rows.features().T, strict=True))
    specs, blocks = [], []
    for spec in rows.specs:
        values = features[spec["name"]]
        if spec["kind"] == "category":
            fitted, values = _fit_category(spec["name"], values, rows, train, rules)
        else:
            fitted = _fit(spec, values[train])
        specs.append(fitted)
        blocks.append(expand(values, fitted))
    names = input_names(specs)
    return replace(
        rows.put("features", fixed_list(np.concatenate(blocks, axis=1))),
        shape=(len(names),), names=tuple(names), categories={}, specs=tuple(specs),
    )  # fmt: skip


def _fit(spec: ColumnSpec, train: Floats) -> ColumnSpec:
    """The encoding of a column of numbers, dates or times.

    Raises:
        BadInput: a column of dates has none in the training split.
    """
    if spec["kind"] != "datetime":
        return spec
    there = train[~np.isnan(train)]
    if not len(there):
        raise BadInput(
            f"data: the column {spec['name']!r} has no date in the training split; {LEAVE_OUT}"
        )
    return {**spec, "start": float(there.min()), "hours": bool((there % DAY != 0).any())}


def _fit_category(
    name: str, column: Floats, rows: Rows, train: Bools, rules: CategoricalColumns
) -> tuple[ColumnSpec, Floats]:
    """The encoding of a column of categories, and the position of each row's level."""
    known = rows.categories[name]
    texts = _texts(column, known)
    _refuse_identifier(name, texts)
    levels = _levels(name, [text for text, mine in zip(texts, train, strict=True) if mine], rules)
    place = {level: number for number, level in enumerate(levels)}
    rare = sorted({text for text in texts if text is not None and text not in place})
    positions = [place.get(text, place.get(OTHER, -1)) for text in known]
    at = np.where(np.isnan(column), len(known), column).astype(np.int64)
    fitted = np.array([*positions, place.get(GAP, np.nan)], np.float64)[at]
    return {"name": name, "kind": "category", "levels": list(levels), "rare": rare}, fitted


def _texts(column: Floats, known: Sequence[str]) -> Texts:
    places = np.where(np.isnan(column), len(known), column).astype(np.int64)
    texts: list[str | None] = np.array([*known, None], dtype=object)[places].tolist()
    return texts


def _refuse_identifier(name: str, column: Texts) -> None:
    there = [text for text in column if text is not None]
    if len(there) > 1 and len(set(there)) == len(there):
        raise BadInput(
            f"data: the column {name!r} has another value in every row, so that it only names "
            f"them; {LEAVE_OUT}"
        )


def _levels(name: str, trained: Texts, rules: CategoricalColumns) -> tuple[str, ...]:
    """The categories that get an input, sorted; then what rare and missing ones share."""
    counts: Counter[str | None] = Counter(trained)
    missing = counts.pop(None, 0)
    often = sorted(text for text, many in counts.items() if text and many >= rules.rare)
    if not often:
        raise BadInput(
            f"data: no category of the column {name!r} has {rules.rare} training rows; lower "
            f"data.words.rare, or {LEAVE_OUT}"
        )
    if len(often) > rules.most:
        raise BadInput(
            f"data: the column {name!r} has {len(often):,} categories of at least {rules.rare} "
            f"training rows, and data.words.most is {rules.most:,}; raise data.words.rare or "
            f"data.words.most, or {LEAVE_OUT}"
        )
    others = [OTHER] * (len(often) < len(counts)) + [GAP] * (missing >= rules.rare)
    return (*often, *(each for each in others if each not in often))
