"""The lock of a trial: which process runs it, and how to end that process.

The processes that a trial forks share its lock, so the lock is free only when the last of them is
gone: waiting for the lock is waiting for the whole trial.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

from conf.runtime.file_lock import POLL_SECONDS, FileLock, is_locked


def lock_trial(path: Path, *, wait: float) -> FileLock:
    """Take the lock of a trial and write into it which process holds it.

    Raises:
        TimeoutError: another process still holds it after `wait` seconds.
    """
    try:
        lock = FileLock.acquire(path, timeout=wait)
    except TimeoutError:
        raise TimeoutError(f"{path} is still held by {read_holder(path)}") from None
    pid = os.getpid()
    write_facts(
        lock,
        {
            "pid": pid,
            "group": os.getpgid(pid),
            "started": process_start(pid),
            "host": socket.gethostname(),
        },
    )
    return lock


def write_facts(lock: FileLock, facts: dict[str, Any]) -> None:
    """Replace the facts in the file of a lock."""
    lock.write((json.dumps(facts) + "\n").encode())


def add_facts(lock: FileLock, facts: dict[str, Any]) -> None:
    """Add to the facts in the file of a lock."""
    write_facts(lock, json.loads(lock.read()) | facts)


def read_holder(path: Path) -> dict[str, Any]:
    """What the present or last holder wrote; empty when it was torn or never written."""
    try:
        facts = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


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
