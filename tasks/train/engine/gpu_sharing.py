"""How many trials have room on one GPU, from what one of them took."""

from __future__ import annotations

from tasks.train.spec import Result

SPARE = 0.1
"""Share of a GPU's memory that is left free."""
HEADROOM = 0.25
"""What a trial may take beyond the one that was measured: others are wider, or have longer rows."""
CONTEXT = 600 * 2**20
"""Bytes that a process holds on a GPU beside its tensors (an allowance: it differs by driver)."""


def fitting(held: int, total: int, most: int) -> int:
    """Trials at once on a GPU.

    Args:
        held: bytes that the measured trial's tensors took at their most.
        total: the GPU's bytes.
        most: as many as the processor can feed.

    Returns:
        At least 1.
    """
    each = held * (1.0 + HEADROOM) + CONTEXT
    return max(1, min(int(total * (1.0 - SPARE) / each), most))


def share_of(result: Result | None, most: int) -> int:
    """Trials at once on a GPU, from the result of one that ran by itself; 1 where it says nothing
    of a GPU, or failed: the search will meet what it met."""
    if result is None or result.gpu_held is None or result.gpu_total is None:
        return 1
    return fitting(result.gpu_held, result.gpu_total, most)
