"""Run a command that never outlives whoever started it: `python -m flows.guard COMMAND ...`.

The guard reads its standard input, a pipe that only its starter holds. At the pipe's end, which
comes with the starter's death however that happens, the guard ends the command and everything that
came of it, also what made itself a session of its own. It is started in a session of its own, so
that a terminal's Ctrl-C reaches neither it nor the command.

`--grace N` before the command gives it N seconds to end by itself.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

GRACE_SECONDS = 3.0


def main(arguments: list[str]) -> int:
    """Run the command in this process's group until it ends or standard input does."""
    grace = GRACE_SECONDS
    if arguments[0] == "--grace":
        grace, arguments = float(arguments[1]), arguments[2:]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the group's SIGTERM is meant for the command
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], 0.5)
        if readable and not os.read(sys.stdin.fileno(), 4096):
            end_all(grace)
    return child.returncode


def end_all(grace: float) -> None:
    """Ask the group to end, then what lives apart from it, and kill what is left, and itself."""
    import psutil

    running = psutil.Process().children(recursive=True)
    os.killpg(0, signal.SIGTERM)
    half = grace / 2
    _, left = psutil.wait_procs(running, timeout=half)  # the command may end its own in peace
    _ask([process for process in left if _is_apart(process)])
    _, left = psutil.wait_procs(left, timeout=half)
    for process in {*left, *psutil.Process().children(recursive=True)}:
        _signal(process, signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)


def _is_apart(process: psutil.Process) -> bool:
    try:
        return os.getpgid(process.pid) != os.getpgrp()
    except ProcessLookupError:
        return False


def _ask(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        _signal(process, signal.SIGTERM)


def _signal(process: psutil.Process, number: int) -> None:
    import psutil

    try:
        process.send_signal(number)  # never to another process of that number
    except psutil.Error:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
