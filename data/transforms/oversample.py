"""Oversampling of rare classes: repeat rows, or interpolate new ones between neighbours (SMOTE)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conf.loading.digests import derived_seed
from conf.runtime.types import Floats, Ints
from conf.schema.augment import Oversample

NEIGHBOURS = 5


def sampled_counts(counts: Sequence[int] | Ints, oversample: Oversample | None) -> list[int]:
    """Rows of each class in an epoch: its own, or its share of the largest class's if that is more.

    Args:
        counts: rows of each class in the training split; a class without rows stays empty.
        oversample: None leaves the counts as they are.
    """
    own = [int(count) for count in counts]
    if oversample is None:
        return own
    goal = round(oversample.share * max(own, default=0))
    if oversample.kind == "smote":  # a class of one row has no neighbours
        return [max(count, goal) if count > 1 else count for count in own]
    return [max(count, goal) if count else 0 for count in own]


def repeated_rows(labels: Ints, oversample: Oversample, seed: int) -> Ints:
    """Indices of the rows that an epoch has once more, each as seldom as possible.

    Args:
        labels: class of each row, int64 of shape (rows,).
        oversample: the share of the largest class that every class reaches.
        seed: of the trial.
    """
    random = np.random.default_rng(derived_seed(seed, "oversample"))
    counts = np.bincount(labels)
    out = [np.empty(0, dtype=np.int64)]
    repeat = Oversample(share=oversample.share)
    for label, goal in enumerate(sampled_counts(counts, repeat)):
        rows = np.flatnonzero(labels == label)
        if missing := goal - len(rows):
            rounds = [random.permutation(rows) for _ in range(-(-missing // len(rows)))]
            out.append(np.concatenate(rounds)[:missing])
    return np.concatenate(out)


def smote(
    features: Floats, labels: Ints, oversample: Oversample, seed: int, scale: Floats
) -> tuple[Floats, Ints]:
    """Synthetic rows between neighbours of one class.

    A class of one row has no neighbours and stays as it is.

    Source: Chawla et al., "SMOTE: synthetic minority over-sampling technique", arXiv:1106.1813;
    the implementation is imbalanced-learn's.

    Args:
        features: of shape (rows, features), without missing values.
        labels: class of each row, of shape (rows,).
        oversample: the share of the largest class that every class reaches.
        seed: of the trial.
        scale: of shape (features,); distances are measured in these units.

    Returns:
        The new rows, of shape (new, features), and their classes, of shape (new,).
    """
    from imblearn.over_sampling import SMOTE

    counts = np.bincount(labels)
    sampled = sampled_counts(counts, oversample)
    goals = {label: goal for label, goal in enumerate(sampled) if counts[label] > 1}
    chosen = np.isin(labels, list(goals))
    sampler = SMOTE(
        sampling_strategy=goals,
        k_neighbors=min(NEIGHBOURS, min(int(counts[label]) for label in goals) - 1),
        random_state=derived_seed(seed, "smote") % 2**32,
    )
    x, y = sampler.fit_resample(features[chosen] / scale, labels[chosen])
    first = int(chosen.sum())
    return (x[first:] * scale).astype(features.dtype), np.asarray(y[first:], dtype=np.int64)
