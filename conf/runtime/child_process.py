"""Run a step in a child process: one JSON request in, one JSON reply out.

So the driver imports no torch, and no trial reads the test split. The child reads the request from
its stdin and prints the reply as the last line of its stdout. It also inherits the read end of a
pipe that is never written to: the pipe closes with the death of the driver, which ends the child.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from conf.runtime.errors import BadInput, DenseError

PYTHON = (sys.executable, "-P", "-m")
"""Runs a module. With -P, a package in the working directory does not hide one of this project."""
# Set by a distributed launcher of the caller; the child would take itself for one of its ranks.
UNWANTED = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")


POLL_SECONDS = 0.5  # between checks whether the user wants to stop

Stopping = Callable[[], bool]


class ChildStopped(DenseError):
    """The user stopped the command while the child was running."""


def never() -> bool:
    """The default: the user does not stop it."""
    return False


def call(
    module: str,
    request: Mapping[str, Any],
    *,
    log: Path,
    threads: int,
    seconds: float,
    stopping: Stopping = never,
) -> dict[str, Any]:
    """Run `python -m <module>` on a request and return its reply.

    Args:
        module: a module whose `__main__` calls `answer`.
        request: the JSON object for its handler.
        log: file that its stderr is appended to.
        threads: number of threads for linear algebra.
        seconds: time limit, after which the child is killed.
        stopping: whether the user wants to stop; the child is then killed, too.

    Raises:
        Stopped: the user wanted an end.
        BadInput, DenseError: the child raised it; the message is passed on.
        DenseError: the child died or exceeded its time limit; the message names the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    read_end, write_end = os.pipe()
    try:
        with log.open("a") as errors:
            child = subprocess.Popen(
                [*PYTHON, module, str(read_end)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(threads),
                pass_fds=[read_end],
                start_new_session=True,  # Ctrl-C in a terminal reaches only the driver
            )
        output = _converse(child, module, request, seconds, stopping)
    finally:
        os.close(read_end)
        os.close(write_end)
    return _reply(output, child.returncode, f"{module} (its log is {log})")


def _environment(threads: int) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return {**inherited, **limits}


def _converse(
    child: subprocess.Popen[bytes],
    module: str,
    request: Mapping[str, Any],
    seconds: float,
    stopping: Stopping,
) -> bytes:
    """The child's stdout. The child has ended when this returns or raises."""
    unsent: bytes | None = json.dumps(dict(request)).encode()
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                return child.communicate(unsent, timeout=POLL_SECONDS)[0]
            except subprocess.TimeoutExpired:
                unsent = None  # `communicate` goes on with what it was given first
            if stopping():
                raise ChildStopped(f"{module} was stopped by the user")
            if time.monotonic() > deadline:
                raise DenseError(
                    f"{module} was ended after {seconds:g} seconds; "
                    "raise champion.seconds and run the study again"
                )
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _reply(output: bytes, status: int, child: str) -> dict[str, Any]:
    lines = output.splitlines()
    if status != 0 or not lines:
        raise DenseError(f"{child} ended with status {status} and no reply")
    reply: dict[str, Any] = json.loads(lines[-1])
    if "error" in reply:
        kind = BadInput if reply["exit_code"] == BadInput.exit_code else DenseError
        raise kind(reply["error"])
    return reply


def answer(handle: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """The child's side: read the request, handle it and print the reply."""
    from conf.runtime import environment

    environment.apply()
    threading.Thread(target=_end_after, args=[int(sys.argv[1])], daemon=True).start()
    request = json.loads(sys.stdin.buffer.read())
    stdout, sys.stdout = sys.stdout, sys.stderr  # libraries print, too, but not the reply
    try:
        reply = handle(request)
    except DenseError as error:
        reply = {"error": str(error), "exit_code": error.exit_code}
    print(json.dumps(reply), file=stdout, flush=True)


def _end_after(read_end: int) -> None:
    """End this process after the caller, which holds the other end of the pipe."""
    os.read(read_end, 1)
    os._exit(1)
