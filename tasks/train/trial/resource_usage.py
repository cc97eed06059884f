"""What a trial takes of the machine, read from counters that the system keeps anyway."""

from __future__ import annotations

import resource
import sys
import time

import torch

WORTH_SECONDS = 5.0
"""Shorter epochs are not metered: their figures would say nothing and fill the record."""
GIB = 2**30


class Meter:
    """Use of the processor and of memory since it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._worked = _cpu_seconds()

    def read(self) -> dict[str, float]:
        """`system/cpu_percent` (100 is one core), `system/memory_gib`, and the GPU's, by name."""
        seconds = time.monotonic() - self._started
        if seconds < WORTH_SECONDS:
            return {}
        figures = {
            "system/cpu_percent": 100.0 * (_cpu_seconds() - self._worked) / seconds,
            "system/memory_gib": peak_memory() / GIB,
        }
        if (memory := gpu_memory()) is not None:
            figures["system/gpu_memory_gib"] = memory / GIB
            if (used := gpu_percent()) is not None:
                figures["system/gpu_percent"] = used
        return figures


def _cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    own = time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own + children.ru_utime + children.ru_stime


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def gpu_memory() -> int | None:
    """Most memory that was allocated on this process's device, in bytes; None on the CPU."""
    if not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.max_memory_allocated())


def gpu_held() -> tuple[int, int] | None:
    """Most memory that this process took of its device, and all that there is, in bytes; None on
    the CPU."""
    if not torch.cuda.is_initialized():
        return None
    total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    return int(torch.cuda.max_memory_reserved()), int(total)


def gpu_percent() -> float | None:
    """Share of the last moments in which the device was busy; None where it does not tell."""
    try:
        return float(torch.cuda.utilization())
    except (ImportError, RuntimeError):  # the library that reads it is an optional one
        return None
