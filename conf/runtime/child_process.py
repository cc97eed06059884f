"""A step in a process of its own: one JSON object in, one out.

The driver imports no torch, and the test part is read where no trial is. The child reads the
request from its stdin and prints the reply as the last line of its stdout. It also inherits the
read end of a pipe that nobody writes to: when the driver dies, the pipe ends, and the child too.
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

# Of a caller under a launcher of its own, these would make the child believe it is one of many.
UNWANTED = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT")


LOOK_SECONDS = 0.5  # between looks whether the user wants an end

Stopping = Callable[[], bool]


class ChildStopped(DenseError):
    """The user wanted an end while the child was at work."""


def never() -> bool:
    """Nobody wants an end."""
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
    """Run `python -m <module>` on a request and give its reply.

    Args:
        module: its `__main__` calls `answer`.
        request: what it is told.
        log: where its stderr goes.
        threads: of linear algebra.
        seconds: after which it is killed.
        stopping: whether the user wants an end; then it is killed, too.

    Raises:
        Stopped: the user wanted an end.
        BadInput, DenseError: the child raised it; its sentence is passed on.
        DenseError: the child died or ran out of time; the sentence names the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    held, guard = os.pipe()
    try:
        with log.open("a") as errors:
            child = subprocess.Popen(
                # -P: no package of where the user works, a `models` of their own say.
                [sys.executable, "-P", "-m", module, str(held)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(threads),
                pass_fds=[held],
                start_new_session=True,  # a terminal's Ctrl-C is for the driver to judge
            )
        output = _converse(child, module, request, seconds, stopping)
    finally:
        os.close(held)
        os.close(guard)
    return _reply(output, child.returncode, f"{module} (its log is {log})")


def _environment(threads: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return {**kept, **limits}


def _converse(
    child: subprocess.Popen[bytes],
    module: str,
    request: Mapping[str, Any],
    seconds: float,
    stopping: Stopping,
) -> bytes:
    """What the child printed; it is gone afterwards, whatever happens."""
    told: bytes | None = json.dumps(dict(request)).encode()
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                return child.communicate(told, timeout=LOOK_SECONDS)[0]
            except subprocess.TimeoutExpired:
                told = None  # it is being told already; what it printed is kept
            if stopping():
                raise ChildStopped(f"{module} was ended by the user")
            if time.monotonic() > deadline:
                raise DenseError(
                    f"{module} was ended after {seconds:g} seconds; "
                    "raise champion.seconds and run the study again"
                )
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _reply(output: bytes, status: int, what: str) -> dict[str, Any]:
    lines = output.splitlines()
    if status != 0 or not lines:
        raise DenseError(f"{what} ended with status {status} and no answer")
    reply: dict[str, Any] = json.loads(lines[-1])
    if "error" in reply:
        kind = BadInput if reply["exit_code"] == BadInput.exit_code else DenseError
        raise kind(reply["error"])
    return reply


def answer(handle: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """The child's side: read the request, handle it, print the reply."""
    from conf.runtime import environment

    environment.apply()
    threading.Thread(target=_end_with, args=[int(sys.argv[1])], daemon=True).start()
    request = json.loads(sys.stdin.buffer.read())
    stdout, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no reply
    try:
        reply = handle(request)
    except DenseError as error:
        reply = {"error": str(error), "exit_code": error.exit_code}
    print(json.dumps(reply), file=stdout, flush=True)


def _end_with(guard: int) -> None:
    """End this process when the caller, which holds the pipe's other end, is gone."""
    os.read(guard, 1)
    os._exit(1)
