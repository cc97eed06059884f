"""Samplers whose order is a function of (trial seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from conf.loading.digests import derived_seed

Index = tuple[int, int]


class EpochSampler(Sampler[Index]):
    """Gives (epoch, row) pairs, so that workers that outlive an epoch still know it.

    An epoch is a pass in random order, or `length` rows of the endless chain of such passes. Where
    a run is resumed, `set_epoch` is all that has to be said.
    """

    def __init__(self, rows: int, seed: int, length: int | None = None) -> None:
        self._rows = rows
        self._seed = seed
        self._length = rows if length is None else length
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next, counted from 0; Lightning does."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Index]:
        epoch = self._epoch
        start = epoch * self._length
        for number in range(start // self._rows, -(-(start + self._length) // self._rows)):
            order = np.random.default_rng(derived_seed(self._seed, "order", number))
            rows = order.permutation(self._rows)
            first = max(0, start - number * self._rows)
            last = min(self._rows, start + self._length - number * self._rows)
            yield from ((epoch, int(row)) for row in rows[first:last])


class PoissonBatches(Sampler[list[Index]]):
    """Poisson sampling of batches: each row is in each batch independently, with probability
    1 / batches, as the accounting of differentially private training assumes (arXiv:1607.00133).

    A function of (seed, epoch) alone.
    """

    def __init__(self, rows: int, batches: int, seed: int) -> None:
        self._rows = rows
        self._batches = batches
        self._seed = seed
        self._epoch = 0
        self.sampler = self  # where Lightning looks for `set_epoch`

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next, counted from 0; Lightning does."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[Index]]:
        random = np.random.default_rng(derived_seed(self._seed, "poisson", self._epoch))
        for _ in range(self._batches):
            drawn = np.flatnonzero(random.random(self._rows) < 1 / self._batches)
            yield [(self._epoch, int(row)) for row in drawn]
