"""Slots: shares of this machine, each a lock that the trial itself holds.

Slot `n` of a study whose trials use `threads` CPU threads stands for the cores `n * threads` to
`(n + 1) * threads - 1`, a lock each. Two studies with different thread counts therefore share one
machine without using a core twice, and no slot leaks: the lock goes with the process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasks.train.locks import POLL_SECONDS, try_lock


@dataclass(frozen=True)
class Slot:
    """A slot that this process holds until it ends or closes the handles."""

    number: int
    handles: tuple[int, ...]

    def release(self) -> None:
        """Give the slot back."""
        for handle in self.handles:
            os.close(handle)


def units(slot: int, threads: int) -> range:
    """The cores that a slot stands for."""
    return range(slot * threads, (slot + 1) * threads)


def try_slot(folder: Path, slot: int, threads: int) -> Slot | None:
    """Take one slot, or None when any of its cores is taken."""
    handles: list[int] = []
    for unit in units(slot, threads):
        handle = try_lock(folder / str(unit))
        if handle is None:
            Slot(slot, tuple(handles)).release()
            return None
        handles.append(handle)
    return Slot(slot, tuple(handles))


def take_slot(
    folder: Path, count: int, threads: int, *, waiting: Callable[[], None] = lambda: None
) -> Slot:
    """Take the first free of `count` slots, for as long as it takes.

    Args:
        folder: this machine's slot locks.
        count: how many slots the study has on this machine.
        threads: CPU threads of one slot.
        waiting: called before every further try.
    """
    while True:
        for number in range(count):
            if slot := try_slot(folder, number, threads):
                return slot
        waiting()
        time.sleep(POLL_SECONDS)


def cores_of(slot: int, threads: int, available: set[int]) -> set[int]:
    """The cores to run a slot on, or all that are available when there are not enough of them."""
    ordered = sorted(available)
    wanted = units(slot, threads)
    if wanted.stop > len(ordered):
        return available
    return {ordered[unit] for unit in wanted}
