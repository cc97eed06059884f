"""The study's lock: held by the process that drives it, released by its death."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from conf.runtime.errors import Held

_TRIES = 20
_PAUSE = 0.01  # seconds; long enough for a reader that only looks whether the lock is held


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


class StudyLock:
    """A lock that is held; give it back with `release`, or as a context manager."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path, holder: Holder) -> StudyLock:
        """Take the lock without waiting for whoever holds it.

        Raises:
            Held: another process has it; the message names it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _try(descriptor, fcntl.LOCK_EX):
            os.close(descriptor)
            raise held_by(_written(path), path.parent.name)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)
        return cls(path, descriptor)

    def release(self) -> None:
        """Give the lock back; doing so twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> StudyLock:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def holder_of(path: Path) -> Holder | None:
    """Who holds a lock now; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written(path) or Holder(0, "unknown", 0.0)
    finally:
        os.close(descriptor)
    return None


def held_by(holder: Holder | None, study: str) -> Held:
    """The error that says who drives a study."""
    return Held(
        f"the study {study!r} is held by {holder or 'another process'}; wait for its end, "
        f"or end it with `dense stop {study}`"
    )


def _try(descriptor: int, kind: int) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        else:
            return True
    return False


def _written(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None  # the holder is about to write it
