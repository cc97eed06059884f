"""The study's lock: held by the process that drives it, released by its death."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from conf.runtime.errors import Held
from conf.runtime.file_lock import FileLock, is_locked

_PATIENCE = 0.2  # seconds; a reader that checks the lock holds it for a moment


@dataclass(frozen=True)
class Holder:
    """Who holds a study; written into the lock file."""

    pid: int
    host: str
    start: float
    """Seconds since the epoch at which the holder began."""
    flow_run: str | None = None
    """Prefect's id of its flow run."""

    def __str__(self) -> str:
        flow_run = f", flow run {self.flow_run}" if self.flow_run else ""
        return f"process {self.pid} on {self.host}{flow_run}"


def lock_study(path: Path, holder: Holder) -> FileLock:
    """Take the lock of a study for this process, without waiting for the end of another.

    Raises:
        Held: another process has it; the message names it.
    """
    try:
        lock = FileLock.acquire(path, timeout=_PATIENCE)
    except TimeoutError:
        raise held_by(_written(path), path.parent.name) from None
    lock.write(json.dumps(asdict(holder)).encode())
    return lock


def holder_of(path: Path) -> Holder | None:
    """Who holds a lock now; None when nobody does."""
    if not is_locked(path):
        return None
    return _written(path) or Holder(0, "unknown", 0.0)


def held_by(holder: Holder | None, study: str) -> Held:
    """The error that says who drives a study."""
    return Held(
        f"the study {study!r} is held by {holder or 'another process'}; wait for its end, "
        f"or end it with `dense stop {study}`"
    )


def _written(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None  # the holder is about to write it
