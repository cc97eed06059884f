"""How a batch is divided over devices and passes, so that the division changes nothing.

`train.batch_size` is the rows of one optimiser step over all devices. A device takes its share in
micro-batches and sums up the gradients. Every micro-batch is weighted by its rows, so that the
gradient of a step is the mean over the rows of its batch, whatever the division.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Sampler

from conf.schema.train import Train


@dataclass(frozen=True)
class Division:
    """Into how many pieces each batch of an epoch is divided."""

    passes: int = 1
    """Micro-batches of an optimiser step on one device."""
    devices: int = 1
    rank: int = 0
    """Which of the devices this process has."""

    @classmethod
    def of(cls, train: Train, devices: int = 1, halvings: int = 0, rank: int = 0) -> Division:
        """Micro-batches of at most `train.micro_batch` rows, halved so often."""
        share = -(-train.batch_size // devices)
        most = max(1, min(share, train.micro_batch or share) >> halvings)
        return cls(-(-share // most), devices, rank)

    def mine(self, batch: list[Any]) -> list[Piece]:
        """This device's pieces of a batch, in order.

        A piece that would be empty is one row of weight 0, so that all devices take the same number
        of passes.
        """
        pieces = self.passes * self.devices
        ends = np.cumsum([0, *piece_sizes(len(batch), pieces)])
        return [
            Piece(
                rows=batch[ends[piece] : ends[piece + 1]] or batch[:1],
                size=int(ends[piece + 1] - ends[piece]),
                weight=float(ends[piece + 1] - ends[piece]) / len(batch) * pieces,
                share=len(batch) / self.devices,
            )
            for piece in range(self.rank, pieces, self.devices)
        ]


@dataclass(frozen=True)
class Piece:
    """One micro-batch."""

    rows: list[Any]
    size: int
    """How many rows count: all, or none of a piece that would be empty."""
    weight: float
    """What its mean loss is multiplied by: the loop divides by the number of passes, and devices'
    gradients are averaged; both are undone here."""
    share: float
    """What the loss that the loop reports (weighted, and divided by the passes) is multiplied by to
    become a sum over rows."""


def piece_sizes(rows: int, pieces: int) -> list[int]:
    """Rows of each of so many almost equal pieces, the larger ones first."""
    return [rows // pieces + (piece < rows % pieces) for piece in range(pieces)]


class MicroBatches(Sampler[list[Any]]):
    """One device's micro-batches of an epoch, out of the batches that all devices agree on."""

    def __init__(self, batches: Iterable[list[Any]], division: Division) -> None:
        self.sampler = self  # where Lightning looks for `set_epoch`
        self.pieces: list[Piece] = []
        """The pieces of this epoch drawn so far: the loader may run ahead of the training."""
        self._batches = batches
        self._division = division

    def set_epoch(self, epoch: int) -> None:
        """Tell the samplers below which epoch comes next."""
        for sampler in (self._batches, getattr(self._batches, "sampler", None)):
            tell = getattr(sampler, "set_epoch", None)
            if tell is not None:
                tell(epoch)

    def __len__(self) -> int:
        return len(self._batches) * self._division.passes  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[list[Any]]:
        self.pieces = []
        for batch in self._batches:
            for piece in self._division.mine(batch):
                self.pieces.append(piece)
                yield piece.rows


def divided(whole: DataLoader[Any], division: Division) -> DataLoader[Any]:
    """A loader of one device's micro-batches, from one that loads whole batches."""
    assert whole.batch_sampler is not None
    return DataLoader(
        whole.dataset,
        batch_sampler=MicroBatches(whole.batch_sampler, division),
        collate_fn=whole.collate_fn,
        num_workers=whole.num_workers,
        persistent_workers=whole.persistent_workers,
        generator=whole.generator,
    )


def piece_at(loader: Any, index: int) -> Piece | None:
    """The piece that a loader of micro-batches gave as number `index` of this epoch."""
    batches = getattr(loader, "batch_sampler", None)
    return batches.pieces[index] if isinstance(batches, MicroBatches) else None
