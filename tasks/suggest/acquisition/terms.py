"""What an acquisition leans on beside the loss: the cost of a trial, what earlier studies say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.suggest.space.space import Rows

Vector = NDArray[np.float64]
Lean = Callable[[Rows], Vector]
"""Rows -> what is added to the logarithm of an acquisition there."""


def even(rows: Rows) -> Vector:
    """No leaning at all."""
    return np.zeros(len(rows))


def together(leans: Sequence[Lean]) -> Lean:
    """The sum of several."""
    return lambda rows: np.sum([lean(rows) for lean in leans], axis=0) if leans else even(rows)
