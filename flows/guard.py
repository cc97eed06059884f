"""Run a command that never outlives whoever started it: `python -m flows.guard COMMAND ...`.

The guard reads its standard input, a pipe that only its starter holds. At the pipe's end, which
comes with the starter's death however that happens, the guard ends the command's whole group. It is
started in a session of its own, so that a terminal's Ctrl-C reaches neither it nor the command.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

GRACE_SECONDS = 3.0


def main(command: list[str]) -> int:
    """Run the command in this process's group until it ends or standard input does."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the group's SIGTERM is meant for the command
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], 0.5)
        if readable and not os.read(sys.stdin.fileno(), 4096):
            end_group(child)
    return child.returncode


def end_group(child: subprocess.Popen[bytes]) -> None:
    """Ask the group to end, and kill what is left of it, this process included."""
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
