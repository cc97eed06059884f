"""The trial server: a warm process that forks a trial for each line on its stdin.

    python -m tasks.train.trial.server

It imports what trials need and does nothing else, so that a fork is a fresh trial in milliseconds:
no thread, no CUDA call and no backward pass happens here (either would break every trial forked
later). Commands are `{"run": id, "folder": path}`, `{"stop": id}`, `{"kill": id}` and `{"import":
[module]}`, for what the trials to come need besides what all need (`tasks.train.engine.preload`);
reports are `{"ready": true}`, `{"id": id, "pid": pid}`, `{"id": id, "status": status}`, and what
trials say themselves. When stdin ends, the server and all trials end.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import conf  # noqa: F401  sets switches that libraries read at import
from tasks.train.engine.protocol import LineBuffer, Reporter, guard_own_group, write_line

STDIN = 0
READ_SIZE = 65_536
OFTEN = (700, 10, 10)
"""Thresholds of a trial's garbage collector, Python's own: a cycle may hold a tensor. What the
server imported is frozen and not looked at."""
NOT_FORKED = 71 << 8
"""Wait status of a trial for which there was no process (EX_OSERR)."""

# What a trial imports sooner or later. The second half is what libraries import only when they are
# first used: named here, a trial does not spend half a second on them.
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
    """The children that live, by the driver's number."""

    reports: int
    pids: dict[int, int] = field(default_factory=dict)

    def handle(self, command: dict[str, Any]) -> None:
        """Carry out one command."""
        if "run" in command:
            self.fork(command["run"], Path(command["folder"]))
        elif "import" in command:
            import_ahead(command["import"])
        elif pid := self.pids.get(command.get("stop", -1)):
            os.kill(pid, signal.SIGUSR2)
        elif pid := self.pids.get(command.get("kill", -1)):
            kill_group(pid)

    def fork(self, number: int, folder: Path) -> None:
        """Start a trial; the child never returns from here."""
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # no process to be had: this trial's affair, not the others'
            print(
                f"trial {number} in {folder} was not forked: {error}", file=sys.stderr, flush=True
            )
            write_line(self.reports, {"id": number, "status": NOT_FORKED})
            return
        if pid == 0:
            become_trial(number, folder, parent, self.reports)
        with contextlib.suppress(OSError):  # so that a kill right now meets the group
            os.setpgid(pid, pid)
        self.pids[number] = pid
        write_line(self.reports, {"id": number, "pid": pid})

    def reap(self) -> None:
        """Report trials that ended, and end what they left running."""
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
                kill_group(pid)  # before it is reaped: its number cannot be another's yet
            _, status, usage = os.wait4(pid, 0)
            if number is not None:
                del self.pids[number]
                write_line(
                    self.reports, {"id": number, "status": status, "memory": usage.ru_maxrss * 1024}
                )

    def end(self) -> None:
        """End every trial."""
        for pid in self.pids.values():
            kill_group(pid)
        for pid in self.pids.values():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def kill_group(pid: int) -> None:
    """Kill a trial's process group, or the trial alone while it has none yet."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def become_trial(number: int, folder: Path, parent: int, reports: int) -> None:
    """Turn a forked child into a trial: a session, a guard and a log of its own."""
    status = 70
    try:
        os.setpgid(0, 0)
        gc.set_threshold(*OFTEN)
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
    """Import everything by name, and do what each trial would do first. No thread, no CUDA."""
    for name in WARM:
        importlib.import_module(name)
    from tasks.train.trial import fit, lightning_patches

    fit.quiet()
    lightning_patches.install()
    gc.collect()
    gc.freeze()


def import_ahead(names: list[str]) -> None:
    """Import what is asked for; what cannot be imported is a trial's affair to complain of."""
    gc.unfreeze()
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            print(f"{name} was not imported ahead: {error}", file=sys.stderr, flush=True)
    gc.collect()
    gc.freeze()


def adopt_orphans() -> None:
    """Make what trials leave behind children of this process, so that it is reaped (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def serve() -> None:
    """Fork, signal and reap until stdin ends."""
    reports = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not look like a report
    adopt_orphans()
    wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    warm_up()
    server, buffer = Server(reports), LineBuffer()
    write_line(reports, {"ready": True})
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
