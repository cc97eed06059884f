"""Server processes that `dense up` and `dense run` keep: guarded, logged and health-checked."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conf.runtime.child_process import PYTHON
from conf.runtime.closeable import Closing
from conf.runtime.errors import DenseError
from flows.servers.guard import GRACE_SECONDS

POLL_SECONDS = 0.2


class GuardedProcess(Closing):
    """A command in a session of its own that ends when this process does.

    The command runs under `flows.servers.guard`, whose standard input is a pipe from this process:
    the guard ends the command and all its descendants when the pipe closes.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        grace: float = GRACE_SECONDS,
    ) -> None:
        """Start the command and return at once.

        Args:
            command: the program and its arguments.
            log: file that its output is appended to.
            environment: its whole environment.
            grace: seconds that descendants in sessions of their own have to end.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        guard = [*PYTHON, "flows.servers.guard", "--grace", str(grace)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*guard, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id of the guard."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the command has ended."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End the command and all its descendants, and wait until they are gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


@dataclass(frozen=True)
class Program:
    """A server program that is restarted when it ends."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    """Variables in addition to this process's environment."""
    log: Path
    is_healthy: Callable[[], bool]
    """Whether the program works now; called repeatedly."""
    grace: float = GRACE_SECONDS
    """Seconds that descendants in sessions of their own have to end."""


class Child(GuardedProcess):
    """A running `Program`."""

    def __init__(self, program: Program) -> None:
        self.program = program
        super().__init__(
            program.command,
            log=program.log,
            environment={**os.environ, **program.environment},
            grace=program.grace,
        )

    def wait_healthy(self, seconds: float) -> None:
        """Wait until the program works.

        Raises:
            DenseError: it has ended, or does not work in time; the message names the log.
        """
        deadline = time.monotonic() + seconds
        while not self.program.is_healthy():
            if self.ended or time.monotonic() > deadline:
                problem = "ended" if self.ended else "did not answer in time"
                raise DenseError(f"{self.program.name} {problem}; its log is {self.program.log}")
            time.sleep(POLL_SECONDS)


def answers(url: str, seconds: float = 5.0) -> bool:
    """Whether an HTTP server answers a request for this URL with status 200."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; False if it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def log_tail(path: Path, lines: int = 3) -> str:
    """The last lines of a log, in one line."""
    try:
        return " / ".join(path.read_text(errors="replace").strip().splitlines()[-lines:])
    except OSError:
        return ""
