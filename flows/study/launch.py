"""What the command line starts ahead of the flow, and hands to it in the same process.

A flow's parameters are JSON; the command's own display, its early-started trial server and its
wish to stop are not. A deployed flow run finds nothing here and starts what it needs itself.
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
TELL_SECONDS = 10.0


SHOW_CURSOR = b"\x1b[?25h\n"


@dataclass
class StopSignal:
    """Whether the user wants an end; set by a signal, read by the flow."""

    say: Callable[[str], None]
    is_set: bool = False
    _then: Callable[[], None] | None = None
    _heard: queue.SimpleQueue[bool] = field(default_factory=queue.SimpleQueue)

    def hear(self, _number: int, _frame: FrameType | None) -> None:
        """The first signal lets trials save; the second ends everything at once.

        A signal may come at any line, also in the middle of printing or of starting a thread, so
        that nothing is done here that takes a lock: the rest is another thread's. Trials and
        servers are guarded by this process's life, so ending it ends them.
        """
        if self.is_set:
            if os.isatty(1):
                os.write(1, SHOW_CURSOR)
            os._exit(EXIT_STOPPED)
        self.is_set = True
        self._heard.put(True)

    def tell(self, then: Callable[[], None]) -> None:
        """Pass the wish on to `then`: when it comes, or now if it has come already."""
        self._then = then
        if self.is_set:
            then()

    def pass_on(self) -> None:
        """Wait for the wish and pass it on, in a thread of its own."""
        if not self._heard.get():
            return
        if self._then is not None:
            self._then()
        # Last: whoever reads what is printed may be slow, or gone.
        with contextlib.suppress(OSError):
            self.say("stopping: running trials save and end; once more ends everything at once")

    def forget(self) -> None:
        """End the thread that waits for the wish."""
        self._heard.put(False)


@contextmanager
def listening(wish: StopSignal) -> Iterator[StopSignal]:
    """Make Ctrl-C and SIGTERM the user's wish to stop, while the block runs in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    teller = threading.Thread(target=wish.pass_on, name="stop", daemon=True)
    teller.start()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, wish.hear)
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        wish.forget()
        teller.join(TELL_SECONDS)  # an interpreter that ends while a thread prints aborts


@dataclass(frozen=True)
class Launch:
    """What is already there when the flow begins."""

    display: Display = field(default_factory=PlainDisplay)
    server: TrialServer | None = None
    pages: bool = True
    """Whether Prefect's server has pages for people; the command's own has none."""


LAUNCH: ContextVar[Launch | None] = ContextVar("launch", default=None)


def current_launch() -> Launch:
    """What the command handed over; in a deployed run its own log to show things in."""
    from prefect import get_run_logger

    return LAUNCH.get() or Launch(LogDisplay(get_run_logger()))
