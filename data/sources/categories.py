"""Columns of words as a source reads them: each word a number, as it turns up."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from conf.runtime.errors import BadInput
from data.encoding.one_hot import word_of

MOST = 100_000
"""Different values beyond which a column holds no words."""
LEAVE_OUT = "leave it out with data.without, or out of data.features"


class Vocabulary:
    """The words of some columns; a row holds a word's number, and NaN where it is missing."""

    def __init__(self, columns: Iterable[str], named: Collection[str] = ()) -> None:
        """`named` are columns that are known to hold words, whatever they look like."""
        self._numbers: dict[str, dict[str, int]] = {name: {} for name in columns}
        self._named = named

    def __contains__(self, column: str) -> bool:
        return column in self._numbers

    def numbers(self, column: str, values: pa.Array) -> npt.NDArray[np.float64]:
        """The words of some rows, by their numbers.

        Raises:
            BadInput: the column has more different values than any that holds words.
        """
        known, found = self._numbers[column], values.dictionary_encode()
        words = [word_of(value) for value in found.dictionary.to_pylist()]
        place = [np.nan if word is None else known.setdefault(word, len(known)) for word in words]
        if len(known) > MOST:
            raise BadInput(f"data: the column {column!r} has more than {MOST:,} words; {LEAVE_OUT}")
        # A null has no index: it takes what stands after the last word.
        at = found.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
        return np.array([*place, np.nan], dtype=np.float64)[at]

    def words(self) -> dict[str, tuple[str, ...]]:
        """Each column's words in the order of their numbers.

        Raises:
            BadInput: most of a column's words are numbers.
        """
        for column, known in self._numbers.items():
            others = [word for word in known if not is_number(word)]
            if column not in self._named and known and 2 * len(others) < len(known):
                which = f"and {others[0]!r}" if others else "written as text"
                raise BadInput(
                    f"data: the column {column!r} holds numbers {which}; mend it, or name it in "
                    "data.words.columns if its numbers are names"
                )
        return {column: tuple(known) for column, known in self._numbers.items()}


def holds_words(kind: pa.DataType) -> bool:
    """Whether an Arrow type is one of words."""
    if pa.types.is_dictionary(kind):
        return holds_words(kind.value_type)
    tests: Any = (pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean)
    return any(test(kind) for test in tests)


def is_number(word: str) -> bool:
    """Whether a word could be read as a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True
