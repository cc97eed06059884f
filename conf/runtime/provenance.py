"""Versions of the libraries and the machine that a result was computed with."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "dense", "torch", "pytorch-lightning", "scikit-optimize", "scikit-learn", "numpy",
    "albumentations", "mlflow", "prefect",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Installed versions of what a result can depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """The machine in a few words."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count() or 1} cores"


def environment() -> dict[str, str]:
    """What of the machine and its libraries the last bit of a result can depend on, by name."""
    return {**versions(), "machine": machine(), "processor": _processor()}


def _processor() -> str:
    """The processor's model: libraries choose their kernels by it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or "unknown")
