"""Permutation importance of a table's columns, for any model that takes raw rows.

Breiman 2001, doi:10.1023/A:1010933404324; Fisher et al. 2019, arXiv:1801.01489.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.packaging.explanations import Attribution, ColumnImportance

if TYPE_CHECKING:
    from pandas import DataFrame

SHUFFLES = 5
OTHERS = 25
"""Values of other rows that take a value's place."""
MOST_COLUMNS = 200
"""Columns beyond these are passed over: they would take too long."""
ROWS = 2_000

Answer = Callable[["DataFrame"], NDArray[np.float64]]
"""Of raw rows: the probability of one class, or the number."""
Quality = Callable[["DataFrame", NDArray[np.int64]], float]
"""Of changed raw rows and their places among the test rows: the objective, more is better."""


def importance(rows: DataFrame, quality: Quality, seed: int) -> tuple[ColumnImportance, ...]:
    """Permutation importance: the loss of the objective when a column is shuffled.

    Args:
        rows: raw rows of the test split.
        quality: the objective on changed rows, higher is better.
        seed: of the shuffles.

    Returns the mean loss and its standard deviation over the shuffles, the largest loss first.
    """
    random = np.random.default_rng([seed, 1])
    places = np.arange(len(rows))
    if len(rows) > ROWS:
        places = np.sort(random.choice(len(rows), ROWS, replace=False))
    some = rows.iloc[places]
    before = quality(some, places)
    found = []
    for column, name in _named(rows):
        losses = []
        for _ in range(SHUFFLES):
            changed = some.copy()
            changed.isetitem(column, random.permutation(some.iloc[:, column].to_numpy()))
            losses.append(before - quality(changed, places))
        loss, deviation = float(np.mean(losses)), float(np.std(losses, ddof=1))
        found.append(ColumnImportance(name=name, loss=loss, deviation=deviation))
    return tuple(sorted(found, key=lambda one: -one.loss))


def counted(rows: DataFrame, place: int, answer: Answer, seed: int) -> tuple[Attribution, ...]:
    """Attribution of one row's columns: the mean drop of its output when the column's value is
    replaced by those of other rows. The largest absolute drop comes first.
    """
    random = np.random.default_rng([seed, 2, place])
    others = random.choice(len(rows), min(OTHERS, len(rows)), replace=False)
    before, found = answer(rows.iloc[[place]])[0], []
    for column, name in _named(rows):
        changed = rows.iloc[np.repeat(place, len(others))].copy()
        changed.isetitem(column, rows.iloc[others, column].to_numpy())
        fall = float(before - answer(changed).mean())
        found.append(Attribution(shown=f"{name} {_shown(rows.iat[place, column])}", weight=fall))
    return tuple(sorted(found, key=lambda piece: -abs(piece.weight)))


def _named(rows: DataFrame) -> list[tuple[int, str]]:
    return [(column, str(name)) for column, name in enumerate(rows.columns)][:MOST_COLUMNS]


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
