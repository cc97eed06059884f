"""What `dense up` keeps running: programs under a guard, each with a log and a sign of life."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conf.runtime.errors import DenseError

PYTHON = (sys.executable, "-P", "-m")  # -P: no package of where the user works
PAUSE = 0.2


@dataclass(frozen=True)
class Program:
    """A program to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    """Beside the caller's."""
    log: Path
    is_well: Callable[[], bool]
    """Whether it does its work; asked again and again."""
    grace: float = 3.0
    """Seconds that what it runs in sessions of their own has to end."""


class Child:
    """A program that runs, and ends when this process does."""

    def __init__(self, program: Program) -> None:
        self.program = program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        guard = [*PYTHON, "flows.servers.guard", "--grace", str(program.grace)]
        with program.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*guard, *program.command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **program.environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The guard's process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    def wait_well(self, seconds: float) -> None:
        """Wait until it does its work.

        Raises:
            DenseError: it ended, or is not well in time.
        """
        deadline = time.monotonic() + seconds
        while not self.program.is_well():
            if self.ended or time.monotonic() > deadline:
                what = "ended" if self.ended else "did not answer in time"
                raise DenseError(f"{self.program.name} {what}; its log is {self.program.log}")
            time.sleep(PAUSE)

    def close(self) -> None:
        """End it and everything that it started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def answers(url: str, seconds: float = 5.0) -> bool:
    """Whether something answers well at an address."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def wait_until(reached: Callable[[], bool], seconds: float) -> bool:
    """Whether something came to hold in time."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def log_tail(path: Path, lines: int = 3) -> str:
    """The end of a log."""
    try:
        return " / ".join(path.read_text(errors="replace").strip().splitlines()[-lines:])
    except OSError:
        return ""
