"""What this machine has for trials, found out without touching a device."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from conf.schema.run import Resources

DEVICE_FILES = Path("/dev")


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
    """Trials at once on this machine: as configured, else as many as its GPUs or cores hold.

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
