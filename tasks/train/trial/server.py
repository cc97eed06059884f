"""The trial server: a warm process that forks a trial for each line on its stdin.

    python -m tasks.train.trial.server

It imports the modules that trials need and does nothing else, so that a fork is a new trial in
milliseconds instead of seconds. No thread, CUDA call or backward pass may happen here: each would
break every trial that is forked later. Commands arrive on stdin and reports leave on stdout as JSON
lines (`tasks.train.engine.protocol`). When stdin ends, the server and all its trials end.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import select
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import conf  # noqa: F401  sets switches that libraries read at import
from tasks.train.engine.protocol import (
    COMMANDS,
    Command,
    ExitReport,
    ForkedReport,
    ImportCommand,
    KillCommand,
    LineBuffer,
    ReadyReport,
    Reporter,
    RunCommand,
    StopCommand,
    guard_own_group,
    write_line,
)

STDIN = 0
READ_SIZE = 65_536
GC_THRESHOLDS = (700, 10, 10)
"""Thresholds of a trial's garbage collector: Python's defaults, since a cycle may hold a tensor.
The server's own objects are frozen and not scanned."""
NOT_FORKED = 71 << 8
"""Wait status of a trial that could not be forked (EX_OSERR)."""

# Modules that every trial imports. Some are imported by libraries only at their first use, which
# would cost each trial half a second.
WARM = (
    "conf.runtime.import_lightning",
    "safetensors.torch",
    "torch.utils.serialization.config",
    "data.loading.datamodule",
    "models",
    "models.modules.predictor",
    "models.modules.seq2seq",
    "tasks.evaluate.metrics",
    "tasks.evaluate.predictions",
    "tasks.train.trial.fit",
    "tasks.train.trial.main",
)


@dataclass
class Server:
    """Forks, signals and reaps trials."""

    reports: int
    """Descriptor of the pipe to the driver."""
    pids: dict[int, int] = field(default_factory=dict)
    """The driver's number of each living trial to its process."""

    def handle(self, command: Command) -> None:
        """Carry out a command; one for a trial that has ended does nothing."""
        match command:
            case RunCommand(run=number, folder=folder):
                self.fork(number, folder)
            case ImportCommand(modules=modules):
                preload(modules)
            case StopCommand(stop=number):
                if pid := self.pids.get(number):
                    os.kill(pid, signal.SIGUSR2)
            case KillCommand(kill=number):
                if pid := self.pids.get(number):
                    kill_group(pid)

    def fork(self, number: int, folder: Path) -> None:
        """Start a trial. In the child this never returns."""
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # too many processes: this trial fails, the others go on
            print(
                f"trial {number} in {folder} was not forked: {error}", file=sys.stderr, flush=True
            )
            write_line(self.reports, ExitReport(id=number, status=NOT_FORKED))
            return
        if pid == 0:
            become_trial(number, folder, parent, self.reports)
        with contextlib.suppress(OSError):  # here too, so that a kill finds the group at once
            os.setpgid(pid, pid)
        self.pids[number] = pid
        write_line(self.reports, ForkedReport(id=number, pid=pid))

    def reap(self) -> None:
        """Report trials that have ended, and kill the processes that they left running."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid = ended.si_pid
            number = next((n for n, p in self.pids.items() if p == pid), None)
            if number is not None:
                kill_group(pid)  # before it is reaped: no other process can have its number yet
            _, status, usage = os.wait4(pid, 0)
            if number is not None:
                del self.pids[number]
                memory = usage.ru_maxrss * 1024
                write_line(self.reports, ExitReport(id=number, status=status, memory=memory))

    def end(self) -> None:
        """Kill every trial, and wait for their processes."""
        for pid in self.pids.values():
            kill_group(pid)
        for pid in self.pids.values():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def kill_group(pid: int) -> None:
    """Kill a trial's process group, or its process alone before it has a group."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def become_trial(number: int, folder: Path, parent: int, reports: int) -> None:
    """Run a trial in the forked child, with a process group, a guard and a log of its own."""
    status = 70
    try:
        os.setpgid(0, 0)
        gc.set_threshold(*GC_THRESHOLDS)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        guard = os.dup(STDIN)
        guard_own_group(guard, parent)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, STDIN)
        log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        from tasks.train.trial import main

        status = main.main(folder, Reporter(reports, number))
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def warm_up() -> None:
    """Import the modules of every trial, and do the work that each trial would begin with."""
    for name in WARM:
        importlib.import_module(name)
    from tasks.train.trial import fit, lightning_patches

    fit.quiet()
    lightning_patches.install()
    gc.collect()
    gc.freeze()


def preload(modules: Sequence[str]) -> None:
    """Import modules before the next fork.

    A module that cannot be imported is noted in the log: the trial that needs it reports the error.
    """
    gc.unfreeze()
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            print(f"{name} was not preloaded: {error}", file=sys.stderr, flush=True)
    gc.collect()
    gc.freeze()


def adopt_orphans() -> None:
    """Become the parent of processes that trials leave behind, so that they are reaped (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def serve() -> None:
    """Fork, signal and reap until stdin ends."""
    reports = os.dup(1)
    os.dup2(2, 1)  # output of libraries must not be taken for a report
    adopt_orphans()
    wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    warm_up()
    server, buffer = Server(reports), LineBuffer(COMMANDS)
    write_line(reports, ReadyReport(ready=True))
    while True:
        readable, _, _ = select.select([STDIN, wake], [], [])
        if wake in readable:
            os.read(wake, READ_SIZE)
            server.reap()
        if STDIN in readable:
            received = os.read(STDIN, READ_SIZE)
            if not received:
                server.end()
                return
            for command in buffer.feed(received):
                server.handle(command)


if __name__ == "__main__":
    serve()
