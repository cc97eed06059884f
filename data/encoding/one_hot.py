"""Columns of words as numbers: an input a word, 1 where a row has it.

A pure function of rows and of what was fitted on the training part, so that a row is read the same
wherever it turns up. Registered models carry this very file and run it alone: it imports nothing
of this project.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

OTHER = "(other)"
"""The input that words too rare for their own share; none where the training part had none."""
GAP = "(missing)"
"""The input of rows without a word; none where the training part had too few such rows."""
MISSING = {"", "na", "n/a", "nan", "null", "none", "<na>"}
"""What is written, in any case, where there is no word."""

Levels = Mapping[str, Sequence[str]]
"""Column to the words that have an input, in their order; `OTHER` and `GAP` may be among them. The
columns are gone through by alphabet: what a mapping was written to and read from may reorder it."""
Matrix = npt.NDArray[np.float64]


def word_of(value: Any) -> str | None:
    """A value as a word, without spaces around it; None where it is missing."""
    if value is None:
        return None
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    word = str(value).strip()
    return None if word.lower() in MISSING else word


def input_names(numbers: Sequence[str], levels: Levels) -> list[str]:
    """Names of the inputs: the columns of numbers, then `column=word` of each column of words."""
    words = [f"{name}={word}" for name, words in sorted(levels.items()) for word in words]
    return [*numbers, *words]


def number_names(names: Sequence[str], levels: Levels) -> list[str]:
    """Those of the inputs' names that are columns of numbers."""
    return list(names[: len(names) - sum(map(len, levels.values()))])


def encoded(columns: Any, names: Sequence[str], levels: Levels) -> Matrix:
    """Raw columns as (rows, inputs).

    A word without an input of its own counts as `OTHER`, and where that is no input, as none of the
    words: zeros. A missing word is NaN, like a missing number, where it is no input.

    Args:
        columns: a frame, or a mapping from the name of a column to its values.
        names: of the inputs.
        levels: fitted on the training part.

    Raises:
        ValueError: a column of numbers holds something else.
    """
    numbers = number_names(names, levels)
    parts = [_numbers(name, columns[name])[:, None] for name in numbers]
    parts += [_indicators(list(columns[name]), words) for name, words in sorted(levels.items())]
    return np.concatenate(parts, axis=1)


def decoded(matrix: npt.NDArray[Any], names: Sequence[str], levels: Levels) -> dict[str, list[Any]]:
    """Columns that are encoded as this matrix; of words that share an input there is left `OTHER`.

    None stands for a missing word.
    """
    numbers = number_names(names, levels)
    columns: dict[str, list[Any]] = {
        name: matrix[:, place].astype(np.float64).tolist() for place, name in enumerate(numbers)
    }
    start = len(numbers)
    for name, words in sorted(levels.items()):
        columns[name] = _words(matrix[:, start : start + len(words)], words)
        start += len(words)
    return columns


def _numbers(name: str, values: Any) -> Matrix:
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if kind in "fiu":
        return np.asarray(values, np.float64)
    try:
        return np.array([math.nan if word_of(v) is None else float(v) for v in values], np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the column {name!r} holds something that is no number: {error}"
        ) from error


def _indicators(values: Sequence[Any], words: Sequence[str]) -> Matrix:
    place = {word: number for number, word in enumerate(words)}
    known: dict[Any, float] = {}
    for value in set(values):
        word = word_of(value)
        nowhere = math.nan if word is None else place.get(OTHER, -1)
        known[value] = place.get(GAP if word is None else word, nowhere)
    found = np.array([known[value] for value in values], np.float64)
    out = (found[:, None] == np.arange(len(words))).astype(np.float64)
    out[np.isnan(found)] = math.nan
    return out


def _words(block: npt.NDArray[Any], words: Sequence[str]) -> list[str | None]:
    shown = [None if word == GAP else word for word in words]
    best = np.nan_to_num(block).argmax(axis=1)
    return [
        None if np.isnan(row[place]) else shown[place] if row[place] else OTHER
        for row, place in zip(block, best, strict=True)
    ]
