"""A trial server whose trials misbehave as the study's name in their `spec.json` says.

A fault strikes in the first attempt only, so that the next one shows how a trial recovers.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from tasks.train.folder import MetricLine, TrialFolder, as_text
from tasks.train.spec import Result, TrialSpec
from tasks.train.trial import callbacks, checkpoints, fit, main, server

EPOCH = 2  # counted from 1: the epoch in which a fault strikes


def die() -> None:
    """As the kernel or an operator would end the trial."""
    os.kill(os.getpid(), signal.SIGKILL)


def sleep_for_ever() -> None:
    while True:
        time.sleep(60)


def fork_children() -> None:
    """Leave processes that ignore every signal that can be ignored."""
    for _ in range(2):
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            sleep_for_ever()
    subprocess.Popen(["sleep", "1000"])


def raise_error() -> None:
    raise ValueError("the model is broken")


def allocate() -> None:
    """More than any machine has."""
    import torch

    torch.empty(2**46)


def allocate_under_a_limit() -> None:
    """Until this process has no address space left."""
    import torch

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
    hoard = [torch.ones(2**22) for _ in range(100)]
    raise AssertionError(len(hoard))


def allocate_in_a_group() -> None:
    """Until the kernel kills this process: its control group has 64 MiB more than it uses."""
    import torch

    group = Path(Path(os.environ["DENSE_TEST_CGROUP"]).read_text())
    (group / "cgroup.procs").write_text(str(os.getpid()))
    hoard = [torch.ones(2**22) for _ in range(200)]
    raise AssertionError(len(hoard))


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def fork_and_sleep() -> None:
    fork_children()
    sleep_for_ever()


def fork_and_raise() -> None:
    fork_children()
    raise_error()


IN_BATCH = {
    "die-in-batch": die,
    "sleep": sleep_for_ever,
    "children": fork_children,
    "children-sleep": fork_and_sleep,
    "children-raise": fork_and_raise,
    "raise": raise_error,
    "oom": allocate,
    "oom-limit": allocate_under_a_limit,
    "oom-group": allocate_in_a_group,
    "disk": fill_disk,
    "slow": lambda: time.sleep(0.3),
    "exit": lambda: os._exit(7),
}


def work(seconds: float = 5.0) -> None:
    """Keep one core busy."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


IN_FIT = {"fit-works": work, "fit-sleeps": sleep_for_ever}
"""Faults of an estimator while it is fitted, which no batch interrupts."""

WRITTEN = threading.Event()
"""The first epoch is on disk: its checkpoint and its line are written while the second trains."""


class Fault(pl.Callback):
    """Strikes in the third batch of the epoch, and then finds the epoch before it on disk."""

    def __init__(self, name: str) -> None:
        self._name = name

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._name == "nan" and trainer.current_epoch + 1 == EPOCH:
            for parameter in pl_module.parameters():
                parameter.data.fill_(float("nan"))
        strikes = trainer.current_epoch + 1 == EPOCH and batch_idx == 2
        if strikes and self._name in IN_BATCH and trainer.is_global_zero:
            assert WRITTEN.wait(60.0), "the first epoch was not written"
        if self._name in IN_BATCH and (strikes or self._name == "slow"):
            IN_BATCH[self._name]()


def install() -> None:  # noqa: C901  one small wrapper per fault
    """Wrap the steps of a trial with the places where a process may die."""
    build_trainer = fit.build_trainer
    write_durably = checkpoints.write_durably
    append_line = callbacks.append_line
    write_result = Result.write
    callbacks.SAVE_SECONDS = 0.0  # epochs here are over in no time, and faults lie between them
    now: dict[str, str] = {"fault": ""}

    def fit_with_fault(spec: TrialSpec, *args: Any, **kwargs: Any) -> Result | None:
        now["fault"] = spec.study if spec.attempt == 1 else ""
        return original_fit(spec, *args, **kwargs)

    def build_with_fault(spec: TrialSpec, given: list[pl.Callback], *args: Any) -> pl.Trainer:
        return build_trainer(spec, [*given, Fault(now["fault"])], *args)

    def save_with_fault(path: Path, content: Any) -> None:
        due = path.stem == f"{EPOCH:06d}"
        if now["fault"] == "die-before-checkpoint" and due:
            die()
        if now["fault"] == "die-in-checkpoint" and due:
            path.with_name(f".{path.name}.tmp").write_bytes(b"half")
            die()
        write_durably(path, content)
        if now["fault"] == "die-before-line" and due:
            die()

    def append_with_fault(folder: TrialFolder, line: MetricLine) -> None:
        if now["fault"] == "die-in-line" and line.epoch == EPOCH:
            with folder.metrics.open("a") as file:
                file.write(as_text(line)[:40])
            die()
        append_line(folder, line)
        WRITTEN.set()
        if now["fault"] == "die-after-line" and line.epoch == EPOCH:
            die()
        if now["fault"] == "garbage" and line.epoch == EPOCH:
            with folder.metrics.open("ab") as file:
                file.write(b"\x00\xff garbage\n")
            die()

    def write_with_fault(self: Result, folder: Any) -> None:
        if now["fault"] == "die-before-result":
            die()
        write_result(self, folder)

    def training_with_fault(spec: TrialSpec) -> main.Training:
        if spec.study in IN_FIT:
            from tasks.train.trial import fit_estimator

            limits = fit_estimator.threadpool_limits

            def limits_with_fault(*args: Any) -> Any:
                IN_FIT[spec.study]()
                return limits(*args)

            fit_estimator.threadpool_limits = limits_with_fault
        return training_of(spec)

    training_of, main.training_of = main.training_of, training_with_fault
    original_fit, fit.fit = fit.fit, fit_with_fault  # type: ignore[assignment]
    fit.build_trainer = build_with_fault  # type: ignore[assignment]
    checkpoints.write_durably = save_with_fault
    callbacks.append_line = append_with_fault
    Result.write = write_with_fault  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.path.pop(0)
    install()
    server.serve()
