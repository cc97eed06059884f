"""Rare classes seen more often: rows repeated, or made anew between neighbours (SMOTE)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from conf.loading.digests import derived_seed
from conf.runtime.types import Ints
from conf.schema.augment import Oversample

NEIGHBOURS = 5


def wanted(labels: Ints, share: float) -> dict[int, int]:
    """How many rows each class shall have: its own, or its share of the largest class's."""
    counts = np.bincount(labels)
    goal = round(share * int(counts.max()))
    return {label: max(int(n), goal) for label, n in enumerate(counts) if n}


def repeats(labels: Ints, oversample: Oversample, seed: int) -> Ints:
    """Rows to be seen once more in every epoch, each as seldom as possible."""
    random = np.random.default_rng(derived_seed(seed, "oversample"))
    out = []
    for label, goal in wanted(labels, oversample.share).items():
        rows = np.flatnonzero(labels == label)
        missing = goal - len(rows)
        rounds = [random.permutation(rows) for _ in range(-(-missing // len(rows)))]
        out.append(np.concatenate([*rounds, np.empty(0, dtype=np.int64)])[:missing])
    return np.concatenate(out).astype(np.int64)


def made(
    features: npt.NDArray[Any],
    labels: Ints,
    oversample: Oversample,
    seed: int,
    scale: npt.NDArray[Any],
) -> tuple[npt.NDArray[Any], Ints]:
    """New rows between neighbours of one class; `scale` makes features comparable.

    A class of one row has no neighbours and stays as it is.
    """
    from imblearn.over_sampling import SMOTE

    counts = np.bincount(labels)
    goals = {k: n for k, n in wanted(labels, oversample.share).items() if counts[k] > 1}
    chosen = np.isin(labels, list(goals))
    smallest = min(int(counts[k]) for k in goals)
    smote = SMOTE(
        sampling_strategy=goals,
        k_neighbors=min(NEIGHBOURS, smallest - 1),
        random_state=derived_seed(seed, "smote") % 2**32,
    )
    x, y = smote.fit_resample(features[chosen] / scale, labels[chosen])
    new = int(chosen.sum())
    return (x[new:] * scale).astype(features.dtype), np.asarray(y[new:], dtype=np.int64)
