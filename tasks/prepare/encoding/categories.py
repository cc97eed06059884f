"""Columns of words become inputs, a word each: fitted on the training part, applied everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from conf.runtime.errors import BadInput
from conf.schema.data import CategoricalColumns
from data.encoding.one_hot import GAP, OTHER, encoded, input_names
from data.sources.categories import LEAVE_OUT
from data.sources.rows import Rows, fixed_list

Column = Sequence[str | None]
"""Of words."""


def as_inputs(rows: Rows, train: npt.NDArray[np.bool_], rules: CategoricalColumns) -> Rows:
    """The rows with an input a word in place of the numbers of words; numbers come first.

    Args:
        rows: of a table.
        train: which of them are the training part.
        rules: how many rows a word needs, and how many words a column may have.

    Raises:
        BadInput: a column names its rows, or has too many words, or none that occurs often enough.
    """
    features = dict(zip(rows.names, rows.features().T, strict=True))
    words = {name: _read(features[name], known) for name, known in rows.words.items()}
    numbers = [name for name in rows.names if name not in words]
    levels = {}
    for name, column in words.items():
        _refuse_identifier(name, column)
        trained = [word for word, mine in zip(column, train, strict=True) if mine]
        levels[name] = _levels(name, trained, rules)
    names = input_names(numbers, levels)
    values = encoded({**features, **words}, names, levels).astype(np.float32)
    return replace(
        rows.put("features", fixed_list(values)),
        shape=(len(names),), names=tuple(names), words={}, levels=levels,
    )  # fmt: skip


def _read(column: npt.NDArray[np.float32], words: Sequence[str]) -> Column:
    places = np.where(np.isnan(column), len(words), column).astype(np.int64)
    known = np.array([*words, None], dtype=object)
    found: list[str | None] = known[places].tolist()
    return found


def _refuse_identifier(name: str, column: Column) -> None:
    there = [word for word in column if word is not None]
    if len(there) > 1 and len(set(there)) == len(there):
        raise BadInput(
            f"data: the column {name!r} has another word in every row, so that it only names them; "
            f"{LEAVE_OUT}"
        )


def _levels(name: str, trained: Column, rules: CategoricalColumns) -> tuple[str, ...]:
    """The words that get an input, by alphabet; after them what rare and missing ones share."""
    counts: Counter[str | None] = Counter(trained)
    missing = counts.pop(None, 0)
    often = sorted(word for word, many in counts.items() if word and many >= rules.rare)
    if not often:
        raise BadInput(
            f"data: no word of the column {name!r} has {rules.rare} training rows; lower "
            f"data.words.rare, or {LEAVE_OUT}"
        )
    if len(often) > rules.most:
        raise BadInput(
            f"data: the column {name!r} has {len(often):,} words of at least {rules.rare} training "
            f"rows, and data.words.most is {rules.most:,}; raise data.words.rare or "
            f"data.words.most, or {LEAVE_OUT}"
        )
    others = [OTHER] * (len(often) < len(counts)) + [GAP] * (missing >= rules.rare)
    return (*often, *(each for each in others if each not in often))
