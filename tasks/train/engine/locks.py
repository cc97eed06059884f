"""Locks that die with their holder, and what to do about a holder that should not live.

A lock is an `flock` on an open file. Processes that the holder forks share it, so it is free only
when the last of them is gone: who waits for a trial's lock waits for the whole trial.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.02


def try_lock(path: Path, kind: int = fcntl.LOCK_EX) -> int | None:
    """Take the lock and return its descriptor, or None when another process holds it.

    Of kind `fcntl.LOCK_SH` many may hold it together.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    return handle


def lock_trial(path: Path, *, wait: float) -> int:
    """Take a trial's lock and write into it whose it is.

    Raises:
        TimeoutError: another process still holds it after `wait` seconds.
    """
    deadline = time.monotonic() + wait
    while (handle := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} is still held by {read_holder(path)}")
        time.sleep(POLL_SECONDS)
    pid = os.getpid()
    write_facts(
        handle,
        {
            "pid": pid,
            "group": os.getpgid(pid),
            "started": process_start(pid),
            "host": socket.gethostname(),
        },
    )
    return handle


def write_facts(handle: int, facts: dict[str, Any]) -> None:
    """Replace what stands in a lock file that is held."""
    os.ftruncate(handle, 0)
    os.pwrite(handle, (json.dumps(facts) + "\n").encode(), 0)


def add_facts(handle: int, facts: dict[str, Any]) -> None:
    """Add to what stands in a lock file that is held."""
    size = os.fstat(handle).st_size
    write_facts(handle, json.loads(os.pread(handle, size, 0)) | facts)


def read_holder(path: Path) -> dict[str, Any]:
    """What the present or last holder wrote; empty when it was torn or never written."""
    try:
        facts = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def is_held(path: Path) -> bool:
    """Whether some process holds the lock now."""
    if not path.exists():
        return False
    handle = try_lock(path)
    if handle is None:
        return True
    os.close(handle)
    return False


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
    while is_held(path):
        held = True
        kill_recorded_group(read_holder(path))
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} is still held by {read_holder(path)}")
        time.sleep(POLL_SECONDS)
    return held


def kill_recorded_group(facts: dict[str, Any]) -> None:
    """Kill the group a lock file names, unless its number has since gone to another process.

    A group's number is not given anew while a member lives, also when its leader is dead.
    """
    group = facts.get("group")
    if not isinstance(group, int) or group <= 1 or facts.get("host") != socket.gethostname():
        return
    if group == os.getpgid(0):
        return
    alive = process_start(group)
    if alive is not None and alive != facts.get("started"):
        return
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def process_start(pid: int) -> float | None:
    """When a process started, as a number that tells two holders of one pid apart."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _process_start_elsewhere(pid)
    return float(stat.rpartition(")")[2].split()[19])  # clock ticks since boot: never adjusted


def _process_start_elsewhere(pid: int) -> float | None:
    """The same where there is no /proc."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
