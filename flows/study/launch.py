"""What the command line starts ahead of the flow and passes to it in the same process.

The parameters of a flow are JSON; the display of the command, its trial server and its stop signal
are not. A deployed flow run has no launch and starts what it needs itself.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from flows.study.display import Display, LogDisplay, PlainDisplay

if TYPE_CHECKING:
    from tasks.train.engine.client import TrialServer

EXIT_STOPPED = 130
JOIN_SECONDS = 10.0

SHOW_CURSOR = b"\x1b[?25h\n"


@dataclass
class StopSignal:
    """Whether the user asked to stop; set by a signal, read by the flow.

    Life, in call order: `handle` is the signal handler, `on_stop` registers what a signal calls,
    `run` waits for the signal in a thread of its own, `close` ends that thread.
    """

    print_line: Callable[[str], None]
    is_set: bool = False
    _callback: Callable[[], None] | None = None
    _received: queue.SimpleQueue[bool] = field(default_factory=queue.SimpleQueue)

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """Let trials save at the first signal, end everything at the second.

        A signal may come at any line, also in the middle of printing or of starting a thread, so
        that the handler takes no lock: `run` does the rest in another thread. Trials and servers
        are guarded by this process's life, so ending it ends them.
        """
        if self.is_set:
            if os.isatty(1):
                os.write(1, SHOW_CURSOR)
            os._exit(EXIT_STOPPED)
        self.is_set = True
        self._received.put(True)

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the signal comes, or now if it has come already."""
        self._callback = callback
        if self.is_set:
            callback()

    def run(self) -> None:
        """Wait for the signal, then call the callback and print what happens."""
        if not self._received.get():
            return
        if self._callback is not None:
            self._callback()
        # Last: the reader of standard output may be slow, or gone.
        with contextlib.suppress(OSError):
            self.print_line(
                "stopping: running trials save and end; a second signal ends everything at once"
            )

    def close(self) -> None:
        """End the thread that waits for the signal."""
        self._received.put(False)


@contextmanager
def handling_signals(stop: StopSignal) -> Iterator[StopSignal]:
    """Let Ctrl-C and SIGTERM set `stop` while the block runs in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    thread = threading.Thread(target=stop.run, name="stop", daemon=True)
    thread.start()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop.handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()
        thread.join(JOIN_SECONDS)  # an interpreter that ends while a thread prints aborts


@dataclass(frozen=True)
class Launch:
    """What exists already when the flow begins."""

    display: Display = field(default_factory=PlainDisplay)
    server: TrialServer | None = None
    pages: bool = True
    """Whether Prefect's server serves web pages; the command's own does not."""


LAUNCH: ContextVar[Launch | None] = ContextVar("launch", default=None)


def current_launch() -> Launch:
    """The launch of the command, or one that displays in the log of a deployed flow run."""
    from prefect import get_run_logger

    return LAUNCH.get() or Launch(LogDisplay(get_run_logger()))
