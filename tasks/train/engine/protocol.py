"""The lines between the trial server, its trials and the driver.

The driver writes commands to the server's stdin; the server and every trial write reports to the
server's stdout, each in one write below the size that a pipe takes in one piece. The same stdin is
the guard: it hangs up when the driver is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

GUARD_SECONDS = 0.5
BEAT_SECONDS = 1.0


@dataclass
class Reporter:
    """Where a trial says that it began and that it lives."""

    handle: int | None
    """Descriptor of the pipe to the driver; None where nobody listens."""
    trial: int
    """The server's number for this attempt."""
    _last_beat: float = field(default=0.0, repr=False)

    def began(self, slot: int | None) -> None:
        """The trial holds its slot: its seconds count from now."""
        self._write({"id": self.trial, "began": slot})

    def beat(self) -> None:
        """A batch was done; reported at most once a second."""
        now = time.monotonic()
        if now - self._last_beat >= BEAT_SECONDS:
            self._last_beat = now
            self._write({"id": self.trial, "beat": True})

    def _write(self, report: dict[str, Any]) -> None:
        """Report without ever waiting for a driver that does not read."""
        if self.handle is not None and select.select([], [self.handle], [], 0)[1]:
            with contextlib.suppress(BrokenPipeError):  # the guard sees to it
                write_line(self.handle, report)


def write_line(handle: int, report: dict[str, Any]) -> None:
    """Write one report in one piece."""
    os.write(handle, (json.dumps(report) + "\n").encode())


class LineBuffer:
    """Bytes in, whole JSON lines out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> Iterator[dict[str, Any]]:
        """The lines that are whole now."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            yield json.loads(line)


def guard_own_group(guard: int, parent: int) -> None:
    """End this process's group when the driver hangs up or the server dies, from a thread.

    The descriptor is polled without reading: what is in it is the server's.
    """

    def watch() -> None:
        poll = select.poll()
        poll.register(guard, 0)
        while os.getppid() == parent and not poll.poll(GUARD_SECONDS * 1000):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="guard", daemon=True).start()
