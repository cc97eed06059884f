"""Mixup (arXiv:1710.09412) and CutMix (arXiv:1905.04899) within a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from conf.loading.digests import derived_seed
from conf.runtime.types import Floats32, Ints
from conf.schema.augment import Augment


class Mixer:
    """Mixes the rows of a batch; a function of (seed, epoch, first slot of the batch)."""

    def __init__(self, augment: Augment, classes: int, seed: int) -> None:
        self._augment = augment
        self._classes = classes
        self._seed = seed

    def __call__(
        self, x: Floats32, y: npt.NDArray[Any], epoch: int, first: int
    ) -> tuple[Floats32, Floats32]:
        """The mixed rows, and their labels as shares of the classes, of shape (n, classes)."""
        random = np.random.default_rng(derived_seed(self._seed, "mix", epoch, first))
        labels = y if y.ndim == 2 else np.eye(self._classes, dtype=np.float32)[y]
        mixup, cutmix = self._augment.mixup, self._augment.cutmix
        chance = random.random()
        other = random.permutation(len(x))
        if mixup is not None and chance < mixup.p:
            return mixed(x, labels, other, float(random.beta(mixup.alpha, mixup.alpha)))
        chance -= 0.0 if mixup is None else mixup.p
        if cutmix is not None and x.ndim == 4 and chance < cutmix.p:
            return cut(x, labels, other, float(random.beta(cutmix.alpha, cutmix.alpha)), random)
        return x, labels


def mixed(x: Floats32, labels: Floats32, other: Ints, weight: float) -> tuple[Floats32, Floats32]:
    """Mixup: convex combination of each row with another one, and of their labels."""
    keep = np.float32(weight)
    return keep * x + (1 - keep) * x[other], keep * labels + (1 - keep) * labels[other]


def cut(
    x: Floats32,
    labels: Floats32,
    other: Ints,
    weight: float,
    random: np.random.Generator,
) -> tuple[Floats32, Floats32]:
    """CutMix: paste a rectangle of `1 - weight` of the area; labels by the pasted area."""
    height, width = x.shape[2:]
    side = np.sqrt(1 - weight)
    tall, wide = round(height * side), round(width * side)
    top = int(random.integers(0, height - tall + 1))
    left = int(random.integers(0, width - wide + 1))
    out = x.copy()
    out[:, :, top : top + tall, left : left + wide] = x[
        other, :, top : top + tall, left : left + wide
    ]
    keep = np.float32(1 - tall * wide / (height * width))
    return out, keep * labels + (1 - keep) * labels[other]
