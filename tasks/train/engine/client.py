"""The driver's end of the trial server."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from conf.runtime.errors import DenseError
from tasks.train.engine.protocol import LineBuffer

SERVER = ("-P", "-m", "tasks.train.trial.server")
READY_SECONDS = 120.0
READ_SIZE = 65_536

# What must not reach a trial from the process that started the study.
STRIPPED = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "NODE_RANK", "GROUP_RANK", "LOCAL_WORLD_SIZE")
STRIPPED_PREFIXES = ("PREFECT_", "MASTER_", "PL_", "TORCHELASTIC_", "MLFLOW_")
# Memory that a step gives back is what the next one takes: glibc would return every large tensor to
# the kernel, which then clears its pages anew (a tenth of a step of MiniLM, a quarter of a large
# convolutional network's). Whoever has set these has his way.
KEPT_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
# Threads are the trial's to choose; none may be running when the server forks.
SET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's allocator starts one at import
    "PYTHONHASHSEED": "0",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}


def server_environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment of the trial server, and so of every trial."""
    kept = {
        name: value
        for name, value in given.items()
        if name not in STRIPPED and not name.startswith(STRIPPED_PREFIXES)
    }
    return KEPT_MEMORY | kept | SET


class RunningAttempt:
    """One trial process, as the driver sees it: reports come in order."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._reports: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def tell(self, report: dict[str, Any]) -> None:
        """Add a report (the reader thread's part)."""
        self._reports.put(report)

    def wait(self, seconds: float) -> dict[str, Any] | None:
        """The next report, or None when there was none for so long."""
        try:
            return self._reports.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            return None


class TrialServer:
    """A running `python -m tasks.train.trial.server`. All methods may be called from any thread."""

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
        """Start a server, without waiting for it; `log` takes what it prints."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stderr:
            process = subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=server_environment(os.environ),
                start_new_session=True,  # a terminal's Ctrl-C is the driver's affair
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
        """Start the trial whose `spec.json` stands in the folder."""
        with self._lock:
            attempt = RunningAttempt(next(self._numbers))
            self._attempts[attempt.number] = attempt
            if self._lost:
                attempt.tell({"lost": True})
        self._send({"run": attempt.number, "folder": str(folder)})
        return attempt

    def warm(self, modules: Sequence[str]) -> None:
        """Have modules imported before the next trial is forked, each once."""
        with self._lock:
            missing = [name for name in modules if name not in self._warm]
            self._warm.update(missing)
            if missing:
                self._send({"import": missing})

    def stop(self, attempt: RunningAttempt) -> None:
        """Ask a trial to end after its present epoch."""
        self._send({"stop": attempt.number})

    def kill(self, attempt: RunningAttempt) -> None:
        """Kill a trial's whole process group."""
        self._send({"kill": attempt.number})

    def close(self, seconds: float = 10.0) -> None:
        """End the server and every trial; returns when the server is gone."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, command: dict[str, Any]) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):  # a dead server is reported
            self._stdin.write((json.dumps(command) + "\n").encode())

    def _read(self) -> None:
        buffer = LineBuffer()
        try:
            while received := os.read(self._stdout.fileno(), READ_SIZE):
                for report in buffer.feed(received):
                    self._dispatch(report)
        finally:  # whoever waits for a report is told that none comes
            with self._lock:
                self._lost = True
                for attempt in self._attempts.values():
                    attempt.tell({"lost": True})
            self._ready.set()

    def _dispatch(self, report: dict[str, Any]) -> None:
        if "ready" in report:
            self._ready.set()
            return
        with self._lock:
            ended = "status" in report
            take = self._attempts.pop if ended else self._attempts.get
            attempt = take(report["id"], None)
        if attempt is not None:
            attempt.tell(report)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("the server's pipes are missing")
    return process.stdin, process.stdout
