"""The driver's side of the trial server: start it, send commands, receive reports."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from conf.runtime.child_process import PYTHON
from conf.runtime.errors import DenseError
from tasks.train.engine.protocol import (
    REPORTS,
    Command,
    ExitReport,
    ImportCommand,
    KillCommand,
    LineBuffer,
    ReadyReport,
    Report,
    RunCommand,
    ServerLost,
    StopCommand,
)

SERVER = (*PYTHON[1:], "tasks.train.trial.server")
READY_SECONDS = 120.0
READ_SIZE = 65_536

# Variables of the process that started the study which would mislead a trial.
STRIPPED = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "NODE_RANK", "GROUP_RANK", "LOCAL_WORLD_SIZE")
STRIPPED_PREFIXES = ("PREFECT_", "MASTER_", "PL_", "TORCHELASTIC_", "MLFLOW_")
# A training step frees memory that the next step needs again. By default glibc returns every large
# tensor to the kernel, which clears its pages again: a tenth of the time of a step of MiniLM, a
# quarter for a large convolutional network. Values set by the user take precedence.
MALLOC_DEFAULTS = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
# A trial chooses its own number of threads, and no thread may run when the server forks.
FIXED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's allocator starts one at import
    "PYTHONHASHSEED": "0",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}


def server_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the trial server and its trials, from that of the driver."""
    kept = {
        name: value
        for name, value in environment.items()
        if name not in STRIPPED and not name.startswith(STRIPPED_PREFIXES)
    }
    return MALLOC_DEFAULTS | kept | FIXED


class RunningAttempt:
    """The driver's view of one trial process: a queue of its reports."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._reports: queue.SimpleQueue[Report | ServerLost] = queue.SimpleQueue()

    def put(self, report: Report | ServerLost) -> None:
        """Add a report; called by the thread that reads the pipe."""
        self._reports.put(report)

    def wait(self, seconds: float) -> Report | ServerLost | None:
        """The next report, or None if there is none within `seconds`."""
        try:
            return self._reports.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            return None


class TrialServer:
    """A running `python -m tasks.train.trial.server`. Its methods may be called from any thread."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._stdin, self._stdout = _pipes(process)
        self._attempts: dict[int, RunningAttempt] = {}
        self._numbers = itertools.count()
        self._lock = threading.RLock()  # a signal handler may stop trials
        self._ready = threading.Event()
        self._lost = False
        self._warm: set[str] = set()
        threading.Thread(target=self._read, name="trial-server", daemon=True).start()

    @classmethod
    def start(cls, log: Path, command: Sequence[str] = SERVER) -> Self:
        """Start a server without waiting until it is ready; `log` receives its output."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stderr:
            process = subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=server_environment(os.environ),
                start_new_session=True,  # Ctrl-C in a terminal is for the driver alone
                bufsize=0,
            )
        return cls(process)

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the server still answers."""
        return not self._lost

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until trials can start.

        Raises:
            DenseError: the server ended, or is not ready in time.
        """
        if not self._ready.wait(seconds):
            raise DenseError(f"the trial server was not ready within {seconds:g} s")
        if self._lost:
            raise DenseError("the trial server ended; home/logs/trial-server.log says why")

    def submit(self, folder: Path) -> RunningAttempt:
        """Start the trial of a folder that holds a `spec.json`."""
        with self._lock:
            attempt = RunningAttempt(next(self._numbers))
            self._attempts[attempt.number] = attempt
            if self._lost:
                attempt.put(ServerLost())
        self._send(RunCommand(run=attempt.number, folder=folder))
        return attempt

    def warm(self, modules: Sequence[str]) -> None:
        """Import modules in the server before it forks the next trial; each module once."""
        with self._lock:
            missing = [name for name in modules if name not in self._warm]
            self._warm.update(missing)
            if missing:
                self._send(ImportCommand(modules=tuple(missing)))

    def stop(self, attempt: RunningAttempt) -> None:
        """Ask a trial to end after its current epoch."""
        self._send(StopCommand(stop=attempt.number))

    def kill(self, attempt: RunningAttempt) -> None:
        """Kill a trial's process group."""
        self._send(KillCommand(kill=attempt.number))

    def close(self, seconds: float = 10.0) -> None:
        """End the server and its trials, and wait until the server has exited."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, command: Command) -> None:
        # The reader thread reports a dead server to every attempt.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stdin.write(command.as_line())

    def _read(self) -> None:
        buffer = LineBuffer(REPORTS)
        try:
            while received := os.read(self._stdout.fileno(), READ_SIZE):
                for report in buffer.feed(received):
                    self._dispatch(report)
        finally:  # also when a line cannot be parsed: nobody may wait for ever
            with self._lock:
                self._lost = True
                for attempt in self._attempts.values():
                    attempt.put(ServerLost())
            self._ready.set()

    def _dispatch(self, report: Report) -> None:
        if isinstance(report, ReadyReport):
            self._ready.set()
            return
        with self._lock:
            ended = isinstance(report, ExitReport)
            take = self._attempts.pop if ended else self._attempts.get
            attempt = take(report.id, None)
        if attempt is not None:
            attempt.put(report)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("the server's pipes are missing")
    return process.stdin, process.stdout
