"""The division of rows into train, validation and test."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conf.split import Shares

Parts = npt.NDArray[np.int8]
TRAIN, VALIDATION, TEST = 0, 1, 2


def stratified(labels: npt.NDArray[np.int64], split: Shares, seed: int) -> Parts:
    """Each row's part; every class is divided in the same proportions, none is left out of a part.

    A function of the labels, the shares and the seed alone. Each class needs at least three rows.
    """
    parts = np.full(len(labels), TRAIN, dtype=np.int8)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        order = np.random.default_rng([seed, int(label)]).permutation(rows)
        test = max(1, round(len(rows) * split.test))
        validation = max(1, min(round(len(rows) * split.validation), len(rows) - test - 1))
        parts[order[:test]] = TEST
        parts[order[test : test + validation]] = VALIDATION
    return parts
