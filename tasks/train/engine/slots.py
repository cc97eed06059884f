"""Slots: shares of this machine, each a set of locks that the trial itself holds.

Slot `n` of a study whose trials use `width` CPU threads stands for the cores `n * width` to
`(n + 1) * width - 1`, a lock each, and where there are GPUs for a share of some of them. Two
studies with different shares therefore use one machine without using a core or a GPU twice, and no
slot leaks: a lock goes with its process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from conf.runtime.file_lock import POLL_SECONDS, FileLock, is_locked


@dataclass(frozen=True)
class Share:
    """What one slot of a study takes of the machine."""

    width: int = 1
    """CPU threads."""
    devices: int = 1
    """GPUs, where there are any."""
    gpu_share: int = 1
    """Trials at once on one GPU."""

    def cores(self, slot: int) -> range:
        """Numbers of the cores that a slot stands for."""
        return range(slot * self.width, (slot + 1) * self.width)

    def gpus(self, slot: int, visible: Sequence[str]) -> tuple[str, ...]:
        """The GPUs that a slot stands for, wrapping round where slots are more than there are."""
        if not visible:
            return ()
        first = slot // self.gpu_share * self.devices
        return tuple(
            visible[number % len(visible)] for number in range(first, first + self.devices)
        )


@dataclass(frozen=True)
class Slot:
    """A slot that this process holds until it ends or releases it."""

    number: int
    locks: tuple[FileLock, ...]

    def release(self) -> None:
        """Give the slot back."""
        for lock in self.locks:
            lock.close()


def try_slot(
    folder: Path, slot: int, share: Share = Share(), visible: Sequence[str] = ()
) -> Slot | None:
    """Take one slot, or None when any part of it is taken.

    A GPU that one trial has for itself is locked as a whole; trials that share one hold its whole
    lock together, and a lock of their share each. They take none for which a trial queues that is
    to have it for itself.
    """
    paths = [(folder / str(core), False) for core in share.cores(slot)]
    gpus = share.gpus(slot, visible)
    if share.gpu_share > 1 and any(is_locked(queue_of(folder, gpu)) for gpu in gpus):
        return None
    for gpu in gpus:
        if share.gpu_share == 1:
            paths.append((folder / f"gpu{gpu}", False))
        else:
            part = slot % share.gpu_share
            paths.append((folder / f"gpu{gpu}", True))
            paths.append((folder / f"gpu{gpu}.{part}", False))
    locks: list[FileLock] = []
    for path, shared in paths:
        lock = FileLock.try_acquire(path, shared=shared)
        if lock is None:
            Slot(slot, tuple(locks)).release()
            return None
        locks.append(lock)
    return Slot(slot, tuple(locks))


def take_slot(
    folder: Path,
    count: int,
    share: Share = Share(),
    visible: Sequence[str] = (),
    *,
    waiting: Callable[[], None] = lambda: None,
) -> Slot:
    """Take the first free of `count` slots, for as long as it takes.

    Args:
        folder: this machine's slot locks.
        count: how many slots the study has on this machine.
        share: what one slot takes.
        visible: the GPUs that trials may use.
        waiting: called before every further try.
    """
    queue: FileLock | None = None
    try:
        while True:
            for number in range(count):
                if slot := try_slot(folder, number, share, visible):
                    return slot
            if queue is None and share.gpu_share == 1:
                tries = (FileLock.try_acquire(queue_of(folder, gpu)) for gpu in visible)
                queue = next((lock for lock in tries if lock is not None), None)
            waiting()
            time.sleep(POLL_SECONDS)
    finally:
        if queue is not None:
            queue.close()


def queue_of(folder: Path, gpu: str) -> Path:
    """Lock of the trial that is next to have a GPU for itself: those that share one would else
    never leave it empty."""
    return folder / f"gpu{gpu}.next"


def pinned(slot: int, share: Share, available: set[int]) -> set[int]:
    """The cores to run a slot on; all that are available when the slot goes beyond them."""
    ordered = sorted(available)
    wanted = share.cores(slot)
    if wanted.stop > len(ordered):
        return available
    return {ordered[core] for core in wanted}
