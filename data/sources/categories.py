"""Categories as a source reads them: each distinct one a number, in the order of appearance."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pyarrow as pa

from conf.runtime.errors import BadInput
from conf.runtime.types import Floats

MOST = 100_000
"""Distinct values beyond which a column holds no categories."""
LEAVE_OUT = "leave it out with data.without, or out of data.features"


class CategoryCodes:
    """The categories of some columns; a row holds a category's number, NaN where it is missing."""

    def __init__(self, columns: Iterable[str], named: Collection[str] = ()) -> None:
        """`named` are columns that are known to hold categories, whatever they look like."""
        self._numbers: dict[str, dict[str, int]] = {name: {} for name in columns}
        self._named = named

    def __contains__(self, column: str) -> bool:
        return column in self._numbers

    def numbers(self, column: str, texts: pa.Array) -> Floats:
        """The numbers of some rows' categories.

        Args:
            column: its name.
            texts: written forms (`data.sources.column_values.as_texts`).

        Returns:
            float64 of shape (rows,), NaN where a category is missing.

        Raises:
            BadInput: the column has more distinct values than any that holds categories.
        """
        known, coded = self._numbers[column], texts.dictionary_encode()
        places = [known.setdefault(text, len(known)) for text in coded.dictionary.to_pylist()]
        if len(known) > MOST:
            raise BadInput(
                f"data: the column {column!r} has more than {MOST:,} categories; {LEAVE_OUT}"
            )
        # A null has no index: it takes what stands after the last category.
        at = coded.indices.fill_null(len(places)).to_numpy(zero_copy_only=False)
        return np.array([*places, np.nan], dtype=np.float64)[at]

    def categories(self) -> dict[str, tuple[str, ...]]:
        """Each column's categories in the order of their numbers.

        Raises:
            BadInput: most of a column's categories are numbers, so that a few others hide that it
                is a column of numbers.
        """
        for column, known in self._numbers.items():
            others = [text for text in known if not is_number(text)]
            if column not in self._named and others and 2 * len(others) < len(known):
                raise BadInput(
                    f"data: the column {column!r} holds numbers and {others[0]!r}; list that in "
                    "data.missing if it means a missing value, correct it, or name the column in "
                    "data.words.columns if its numbers are names"
                )
        return {column: tuple(known) for column, known in self._numbers.items()}


def is_number(text: str) -> bool:
    """Whether a text could be read as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
