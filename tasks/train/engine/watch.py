"""The driver's watch over one attempt: its time limit, and whether its process is alive."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

import psutil

from tasks.train.engine.client import RunningAttempt
from tasks.train.engine.oom import Memory
from tasks.train.engine.protocol import BeatReport, BeganReport, ForkedReport, Report
from tasks.train.engine.recover import SentBy

TICK_SECONDS = 1.0
"""Longest time between two checks."""
WORKING = 0.01
"""Share of one core above which a process counts as working. An idle trial wakes up for its guard,
which takes a hundredth of that; a working one has more even on a crowded machine."""


class CanKill(Protocol):
    """The trial server, as far as it is needed here."""

    @property
    def alive(self) -> bool:
        """Whether the server still answers."""

    def kill(self, attempt: RunningAttempt) -> None:
        """Kill a trial's process group."""

    def stop(self, attempt: RunningAttempt) -> None:
        """Ask a trial to end after its current epoch."""


@dataclass
class Watch:
    """One running attempt, as seen by the thread that waits for it."""

    attempt: RunningAttempt
    server: CanKill
    limit: float
    """Seconds from `began` after which the trial is killed."""
    hang: float | None
    """Seconds without a sign of life after which the trial is killed; None: never."""
    batches: bool = True
    """Whether every finished batch is reported. If not, processor time is the sign of life. With
    batches it would not do: a process that waits for another device spins at full load."""
    pid: int | None = None
    began: float | None = None
    beat: float = 0.0
    """When the trial last showed that it is alive."""
    worked: float = 0.0
    """Processor seconds of the trial's processes at that moment."""
    sent: SentBy | None = None
    """Why the trial was killed, if it was."""
    memory: list[Memory] = field(default_factory=list)

    def seconds(self) -> float:
        """Seconds since the trial held its slot."""
        return 0.0 if self.began is None else time.monotonic() - self.began

    def receive(self, report: Report) -> None:
        """Take note of a report."""
        if isinstance(report, ForkedReport):
            self.pid = report.pid
        elif isinstance(report, BeganReport):
            self.began = self.beat = time.monotonic()
        elif isinstance(report, BeatReport):
            self.beat = time.monotonic()

    def patience(self) -> float:
        """Seconds until the next `check` is due."""
        if self.began is None:
            return TICK_SECONDS
        return min(TICK_SECONDS, max(self.limit - self.seconds(), 0.01))

    def check(self) -> None:
        """Kill a trial that is over its time limit or hangs."""
        if self.began is None:
            return
        if self.seconds() >= self.limit:
            self.end("timeout")
        elif self.hang is not None:
            if not self.batches:
                self._look_for_work()
            if time.monotonic() - self.beat >= self.hang:
                self.end("hang")

    def end(self, why: SentBy) -> None:
        """Kill the trial's process group, and remember why."""
        self.sent = self.sent or why
        self.server.kill(self.attempt)

    def _look_for_work(self) -> None:
        if self.pid is None:
            return
        worked, now = cpu_seconds(self.pid), time.monotonic()
        if worked < self.worked:  # a child has ended whose time no process of the trial inherited
            self.worked = worked
        elif worked - self.worked >= WORKING * (now - self.beat):
            self.beat, self.worked = now, worked


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its descendants; 0.0 if it has ended."""
    total = 0.0
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return total
    for process in tree:
        try:
            times = process.cpu_times()
        except psutil.Error:  # it has ended meanwhile
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
