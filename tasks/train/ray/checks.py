"""Checks of a Ray cluster: whether it answers, and how many trials its nodes hold."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conf.runtime.errors import BadInput
from tasks.train.engine.outcome import Cause

CONNECT_SECONDS = 5.0


def need_ray() -> Any:
    """The library; BadInput where it is not installed."""
    try:
        import ray
    except ImportError:
        raise BadInput(
            "resources.engine: ray needs Ray, which is not installed; "
            "pip install 'dense[ray]', or choose local"
        ) from None
    return ray


def need_of(*, threads: int, devices: int, gpu_share: int, gpus: bool) -> dict[str, float]:
    """The resources of one trial, as Ray names them."""
    need = {"CPU": float(threads * devices)}
    return need | {"GPU": devices / gpu_share} if gpus else need


def places(node: Mapping[str, float], need: Mapping[str, float]) -> int:
    """Trials that a node with these resources holds at once."""
    return min(int(node.get(name, 0.0) / amount + 1e-9) for name, amount in need.items())


@dataclass(frozen=True)
class Node:
    """A living node that can hold a trial."""

    id: str
    places: int
    """Trials at once."""
    most: int
    """The same if GPUs were no limit: how many share one may be found out later."""


def address_of(given: str) -> str | None:
    """Where the head of a cluster is; for `auto` as Ray finds it, None where Ray must say."""
    if given != "auto":
        return given
    if named := os.environ.get("RAY_ADDRESS"):
        return named
    from ray._common.utils import get_ray_address_file

    try:
        return Path(get_ray_address_file(None)).read_text().strip()
    except OSError:
        return None


def unanswered(address: str | None) -> str:
    """Why no cluster answers at an address; empty if one does.

    Checked first, because Ray would retry for minutes and then end the process.
    """
    host, _, port = (address or "").rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        return ""
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        return f"{address}: {error.strerror or error}"
    return ""


def gpu_numbers() -> list[str]:
    """The GPUs that Ray gave to the task that calls."""
    return [str(number) for number in need_ray().get_gpu_ids()]


def cause_of(name: str) -> tuple[Cause, str]:
    """Cause and message of a lost attempt, from the name of Ray's error."""
    if name == "OutOfMemoryError":
        return "oom", "its node ran out of memory, and Ray ended the node actor"
    return "infrastructure", f"its node or the node actor is gone ({name})"
