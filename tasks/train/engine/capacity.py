"""How many trials fit on this machine and on one GPU, without initialising a device.

The driver must not initialise CUDA: trials are forked after it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from conf.schema.run import Resources
from tasks.train.spec import Result

DEVICE_FILES = Path("/dev")
SPARE = 0.1
"""Share of the memory of a GPU that is left free."""
HEADROOM = 0.25
"""Extra memory allowed for trials that are wider, or have longer rows, than the measured one."""
CONTEXT = 600 * 2**20
"""Bytes of the CUDA context of a process, beside its tensors: an estimate, it differs by driver."""


def visible_gpus(
    environment: Mapping[str, str] | None = None, device_files: Path = DEVICE_FILES
) -> tuple[str, ...]:
    """The GPUs that trials may use, as `CUDA_VISIBLE_DEVICES` names them."""
    given = (os.environ if environment is None else environment).get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        named = [name.strip() for name in given.split(",")]
        return tuple(name for name in named if name and name != "-1")
    numbers = [
        int(found[1])
        for path in device_files.glob("nvidia*")
        if (found := re.fullmatch(r"nvidia(\d+)", path.name))
    ]
    return tuple(str(number) for number in range(len(numbers)))


def usable_cores() -> set[int]:
    """The cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def slot_count(resources: Resources, *, cores: int | None = None, gpus: int | None = None) -> int:
    """Trials at once on this machine: as configured, else as many as fit on its GPUs or cores.

    Args:
        resources: the study's.
        cores: how many there are; this machine's when absent.
        gpus: likewise.
    """
    if resources.slots != "auto":
        return resources.slots
    cores = len(usable_cores()) if cores is None else cores
    gpus = len(visible_gpus()) if gpus is None else gpus
    if gpus:
        return max(1, gpus // resources.devices * resources.share)
    return max(1, cores // (resources.threads * resources.devices))


def fitting(held: int, total: int, most: int) -> int:
    """Trials that fit on a GPU at once.

    Args:
        held: largest memory of the measured trial's tensors, in bytes.
        total: memory of the GPU, in bytes.
        most: upper limit, for instance what the processor can feed.

    Returns:
        At least 1.
    """
    each = held * (1.0 + HEADROOM) + CONTEXT
    return max(1, min(int(total * (1.0 - SPARE) / each), most))


def share_of(result: Result | None, most: int) -> int:
    """Trials at once on a GPU, from the result of one that had it alone.

    Returns:
        1 if the trial failed or used no GPU: the study's own trials will report the cause.
    """
    if result is None or result.gpu_held is None or result.gpu_total is None:
        return 1
    return fitting(result.gpu_held, result.gpu_total, most)
