"""Run a command that never outlives its starter: `python -m flows.servers.guard COMMAND ...`.

The guard reads its standard input, a pipe that only its starter holds. At the pipe's end, which
comes with the starter's death however that happens, the guard ends the command and everything that
came of it, also what made itself a session of its own. It is started in a session of its own, so
that a terminal's Ctrl-C reaches neither it nor the command.

`--grace N` before the command gives what it runs in sessions of their own N seconds to end.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

GRACE_SECONDS = 3.0


def main(arguments: list[str]) -> int:
    """Run the command in this process's group until it ends or standard input does."""
    grace = GRACE_SECONDS
    if arguments[0] == "--grace":
        grace, arguments = float(arguments[1]), arguments[2:]
    # The group's SIGTERM is meant for the command, which would inherit SIG_IGN.
    signal.signal(signal.SIGTERM, lambda *_: None)
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], 0.5)
        if readable and not os.read(sys.stdin.fileno(), 4096):
            end_all(grace)
    return child.returncode


def end_all(grace: float) -> None:
    """Ask what the command runs in sessions of their own to end, then the command, then kill.

    In this order, for a command that is told to end may kill what it runs at once.
    """
    import psutil

    running = psutil.Process().children(recursive=True)
    group = {process.pid for process in running if not _is_apart(process)}
    apart = [process for process in running if _is_apart(process) and process.ppid() in group]
    for process in apart:
        _signal(process, signal.SIGTERM)
    _wait(apart, grace)
    os.killpg(0, signal.SIGTERM)
    _wait(running, GRACE_SECONDS)
    for process in {*running, *psutil.Process().children(recursive=True)}:
        _signal(process, signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)


def end_adopted(own: Collection[int], grace: float) -> None:
    """End the children of this process that others started and left behind, which may save.

    `own`: the ids of those that it started itself.
    """
    left = adopted(own)
    for process in left:
        _signal(process, signal.SIGTERM)
    _wait(left, grace)
    for process in left:
        for each in (*_children(process), process):
            _signal(each, signal.SIGKILL)
    _wait(left, GRACE_SECONDS)


def adopted(own: Collection[int]) -> list[psutil.Process]:
    """The children of this process that it did not start; those that have ended are reaped."""
    import psutil

    found = []
    for process in psutil.Process().children():
        if process.pid in own:
            continue
        if _lives(process):
            found.append(process)
        else:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)
    return found


def _children(process: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_apart(process: psutil.Process) -> bool:
    try:
        return os.getpgid(process.pid) != os.getpgrp()
    except ProcessLookupError:
        return False


def _wait(processes: Iterable[psutil.Process], seconds: float) -> None:
    """Wait until none of them does anything any more; whether it is reaped is not our affair."""
    deadline = time.monotonic() + seconds
    while any(map(_lives, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: int) -> None:
    import psutil

    try:
        process.send_signal(number)  # never to another process of that number
    except psutil.Error:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
