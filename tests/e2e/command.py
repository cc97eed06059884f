"""The real `dense` command in a process of its own, and what it left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

STUDY = """\
extends: base
name: {name}
data: {{source: builtin, name: digits, task: classification}}
augment:
  rotate: {{degrees: 10, p: 0.5}}
model: {{kind: cnn, width: 8, dropout: 0.1}}
train: {{epochs: {epochs}, batch_size: 128, lr: 3e-3}}
search:
  strategy: bayes
  trials: {trials}
  synchronous: true
  batch_size: 2
  space:
    train.lr: {{low: 1e-4, high: 1e-1, scale: log}}
    model.width: {{low: 4, high: 12, type: int}}
    train.batch_size: {{choices: [64, 128]}}
resources: {{slots: 2, threads: 1, trial_seconds: 120}}
champion: {{enabled: {champion}}}
"""


@dataclass
class Command:
    """`dense` with a home and servers of its own."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The environment of the command: the test's, with its own home."""
        return {**os.environ, "DENSE_HOME": str(self.home), "NO_COLOR": "1", **self.env}

    def study(
        self, name: str = "tiny", *, epochs: int = 2, trials: int = 4, champion: bool = False
    ) -> Path:
        """A small study's file; a champion costs as much time as all else together."""
        path = self.home.parent / f"{name}.yaml"
        facts = {"name": name, "epochs": epochs, "trials": trials}
        path.write_text(STUDY.format(**facts, champion=str(champion).lower()))
        return path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `dense ARGUMENTS` and return at once."""
        return subprocess.Popen(
            [sys.executable, "-m", "flows.cli.main", *arguments],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, seconds: float = 400) -> subprocess.CompletedProcess[str]:
        """Run `dense ARGUMENTS` to its end."""
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"dense {arguments} did not end\n{out}\n{err}") from None
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """The last line of `dense ARGUMENTS --json`."""
        done = self.run(*arguments, "--json")
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def journal(self, name: str = "tiny") -> list[dict[str, Any]]:
        """The study's journal."""
        path = self.home / "studies" / name / "journal.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def until(
        self,
        reached: Callable[[list[dict[str, Any]]], bool],
        name: str = "tiny",
        seconds: float = 300,
    ) -> None:
        """Wait until the journal says so."""
        deadline = time.monotonic() + seconds
        while not reached(self.journal(name)):
            assert time.monotonic() < deadline, f"not reached: {self.journal(name)[-3:]}"
            time.sleep(0.02)

    def epochs(self, name: str) -> int:
        """Epochs that the trials of a study have finished together."""
        files = (self.home / "trials" / name).glob("*/metrics.jsonl")
        return sum(path.read_bytes().count(b"\n") for path in files)

    def processes(self) -> list[psutil.Process]:
        """Every live process that was started for this home; zombies do not count."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            return process.environ().get("DENSE_HOME") == str(self.home)
        except psutil.Error:
            return False

    def assert_no_process_left(self, seconds: float = 60) -> None:
        """Everything that was started for this home ends by itself."""
        deadline = time.monotonic() + seconds
        while left := self.processes():
            assert time.monotonic() < deadline, [process.cmdline() for process in left]
            time.sleep(0.1)

    def trial_server(self) -> psutil.Process:
        """The trial server of the running command."""
        return next(p for p in self.processes() if is_server(p) and not is_server(p.parent()))

    def trials(self) -> list[psutil.Process]:
        """Trials that run now."""
        return [p for p in self.processes() if is_server(p) and is_server(p.parent())]


def is_server(process: psutil.Process | None) -> bool:
    """Whether a process is the trial server, or a trial forked from it."""
    return process is not None and runs(process, "tasks.train.trial.server")


def runs(process: psutil.Process, module: str) -> bool:
    """Whether a process was started as `python -m MODULE`."""
    try:
        return module in process.cmdline()
    except psutil.Error:
        return False


def of(lines: Sequence[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    """The lines of one event."""
    return [line for line in lines if line["event"] == event]


def kill(process: subprocess.Popen[str] | psutil.Process) -> None:
    """SIGKILL, as the machine would."""
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
