"""The lock of a trial: which process runs it, and how to end that process.

The processes that a trial forks share its lock, so the lock is free only when the last of them is
gone: waiting for the lock is waiting for the whole trial.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

from pydantic import ValidationError

from conf.runtime.file_lock import POLL_SECONDS, FileLock, is_locked
from tasks.train.spec import Document


class TrialHolder(Document):
    """The process that holds a trial's lock; written into the lock file as JSON."""

    pid: int
    group: int
    """Its process group, which contains all processes of the trial."""
    started: float | None = None
    """When the process started, as from `process_start`."""
    host: str
    began: float | None = None
    """Seconds since 1970 at which the trial got its slot; None while it waits for one."""
    attempt: int | None = None
    """The attempt that began then."""

    @classmethod
    def this_process(cls) -> TrialHolder:
        """The process that asks."""
        pid = os.getpid()
        group, started = os.getpgid(pid), process_start(pid)
        return cls(pid=pid, group=group, started=started, host=socket.gethostname())

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def lock_trial(path: Path, *, wait: float) -> FileLock:
    """Take the lock of a trial and write into it which process holds it.

    Raises:
        TimeoutError: another process still holds it after `wait` seconds.
    """
    try:
        lock = FileLock.acquire(path, timeout=wait)
    except TimeoutError:
        raise still_held(path) from None
    write_holder(lock, TrialHolder.this_process())
    return lock


def write_holder(lock: FileLock, holder: TrialHolder) -> None:
    """Replace the content of the file of a lock that this process holds."""
    lock.write((holder.model_dump_json(exclude_none=True) + "\n").encode())


def read_holder(path: Path) -> TrialHolder | None:
    """The current or last holder; None if it has not written itself into the file yet."""
    try:
        return TrialHolder.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def still_held(path: Path) -> TimeoutError:
    """The error that names the holder of a lock."""
    return TimeoutError(f"{path} is still held by {read_holder(path) or 'an unknown process'}")


def end_holder(path: Path, *, wait: float = 30.0) -> bool:
    """Kill the process group that holds a trial's lock, if any, and wait until the lock is free.

    Returns:
        Whether the lock was held.

    Raises:
        TimeoutError: it is still held after `wait` seconds (a holder on another machine, or one
            that the kernel cannot end).
    """
    deadline = time.monotonic() + wait
    held = False
    while is_locked(path):
        held = True
        if (holder := read_holder(path)) is not None:
            kill_group_of(holder)
        if time.monotonic() > deadline:
            raise still_held(path)
        time.sleep(POLL_SECONDS)
    return held


def kill_group_of(holder: TrialHolder) -> None:
    """Kill a holder's process group, unless its number now belongs to another process.

    The kernel does not reuse a group's number while a member lives, even if its leader is dead.
    """
    group = holder.group
    if group <= 1 or group == os.getpgid(0) or holder.host != socket.gethostname():
        return
    leader_started = process_start(group)
    if leader_started is not None and leader_started != holder.started:
        return
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def process_start(pid: int) -> float | None:
    """When a process started, to tell it from a later one of the same number; None if it ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _process_start_elsewhere(pid)
    return float(stat.rpartition(")")[2].split()[19])  # clock ticks since boot: never adjusted


def _process_start_elsewhere(pid: int) -> float | None:
    """`process_start` on systems without /proc."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
