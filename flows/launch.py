"""What the command line starts ahead of the flow, and hands to it in the same process.

A flow's parameters are JSON; the command's own display, its early-started trial server and its
wish to stop are not. A deployed flow run finds nothing here and starts what it needs itself.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from flows.display import Display, PlainDisplay

if TYPE_CHECKING:
    from tasks.train.client import TrialServer

EXIT_STOPPED = 130


@dataclass
class StopWish:
    """Whether the user wants an end; set by a signal, read by the flow."""

    say: Callable[[str], None]
    is_set: bool = False
    then: Callable[[], None] | None = None
    """What passes the wish on; called in a thread of its own, as a signal may come at any line."""

    def hear(self, number: int, frame: FrameType | None) -> None:
        """The first signal lets trials save; the second ends everything at once.

        Trials and servers are guarded by this process's life, so ending it ends them.
        """
        if self.is_set:
            os._exit(EXIT_STOPPED)
        self.is_set = True
        self.say("stopping: running trials save and end; once more ends everything at once")
        if self.then is not None:
            threading.Thread(target=self.then, name="stop", daemon=True).start()


@contextmanager
def listening(wish: StopWish) -> Iterator[StopWish]:
    """Make Ctrl-C and SIGTERM the user's wish to stop, while the block runs in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, wish.hear)
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Launch:
    """What is already there when the flow begins."""

    display: Display = field(default_factory=PlainDisplay)
    server: TrialServer | None = None


LAUNCH: ContextVar[Launch | None] = ContextVar("launch", default=None)


def current_launch() -> Launch:
    """What the command handed over; a plain display and nothing else in a deployed run."""
    return LAUNCH.get() or Launch()
