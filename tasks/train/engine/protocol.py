"""Messages between the driver, the trial server and its trials: JSON lines on two pipes.

The driver writes commands to the server's stdin. The server and every trial write reports to the
server's stdout, each in one write that is shorter than `PIPE_BUF`, so that lines of different
processes never mix. The server's stdin is also the guard: it hangs up when the driver is gone.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter

from tasks.train.spec import Document

GUARD_SECONDS = 0.5
BEAT_SECONDS = 1.0


class Message(Document):
    """One line on a pipe. Which kind it is follows from its fields."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    def as_line(self) -> bytes:
        """The JSON line, with its newline."""
        return (self.model_dump_json() + "\n").encode()


class RunCommand(Message):
    """Fork a trial."""

    run: int
    """Number by which the driver refers to this attempt."""
    folder: Path
    """The trial's folder, with its `spec.json`."""


class StopCommand(Message):
    """Let a trial end after its current epoch."""

    stop: int


class KillCommand(Message):
    """Kill a trial's process group."""

    kill: int


class ImportCommand(Message):
    """Import modules before the next fork."""

    modules: tuple[str, ...] = Field(validation_alias="import", serialization_alias="import")


class ReadyReport(Message):
    """The server has imported what every trial needs."""

    ready: Literal[True]


class ForkedReport(Message):
    """The trial's process exists."""

    id: int
    pid: int


class BeganReport(Message):
    """The trial holds its slot: its seconds count from now."""

    id: int
    began: int | None
    """Number of the slot; None for a trial without one."""


class BeatReport(Message):
    """The trial is alive."""

    id: int
    beat: Literal[True]


class ExitReport(Message):
    """The trial's process has ended."""

    id: int
    status: int
    """Wait status, as from `os.waitpid`."""
    memory: int | None = None
    """Largest resident memory in bytes; None where there was no process."""


@dataclass(frozen=True)
class ServerLost:
    """The server's pipe has closed: no further report comes. Made by the driver, never sent."""


Command = RunCommand | StopCommand | KillCommand | ImportCommand
Report = ReadyReport | ForkedReport | BeganReport | BeatReport | ExitReport
COMMANDS: TypeAdapter[Command] = TypeAdapter(Command)
REPORTS: TypeAdapter[Report] = TypeAdapter(Report)

M = TypeVar("M")


class LineBuffer(Generic[M]):
    """Collects received bytes and parses each complete line."""

    def __init__(self, messages: TypeAdapter[M]) -> None:
        self._messages = messages
        self._rest = b""

    def feed(self, received: bytes) -> Iterator[M]:
        """The messages that are complete now.

        Raises:
            ValidationError: a line is not one of the messages.
        """
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            yield self._messages.validate_json(line)


@dataclass
class Reporter:
    """A trial's end of the report pipe."""

    handle: int | None
    """Descriptor of the pipe; None if there is no driver."""
    trial: int
    """The driver's number for this attempt."""
    _last_beat: float = field(default=0.0, repr=False)

    def began(self, slot: int | None) -> None:
        """Report that the trial holds its slot."""
        self._write(BeganReport(id=self.trial, began=slot))

    def beat(self) -> None:
        """Report that the trial is alive, at most once in `BEAT_SECONDS`."""
        now = time.monotonic()
        if now - self._last_beat >= BEAT_SECONDS:
            self._last_beat = now
            self._write(BeatReport(id=self.trial, beat=True))

    def _write(self, report: Report) -> None:
        # A full pipe means that the driver does not read: the report is dropped, never waited for.
        if self.handle is not None and select.select([], [self.handle], [], 0)[1]:
            with contextlib.suppress(BrokenPipeError):  # the guard ends the trial
                write_line(self.handle, report)


def write_line(handle: int, message: Message) -> None:
    """Write a message in one piece."""
    os.write(handle, message.as_line())


def guard_own_group(guard: int, parent: int) -> None:
    """Start a thread that kills this process's group when the driver hangs up or the server dies.

    The descriptor is polled without reading: its content is for the server.
    """

    def watch() -> None:
        poll = select.poll()
        poll.register(guard, 0)
        while os.getppid() == parent and not poll.poll(GUARD_SECONDS * 1000):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="guard", daemon=True).start()
