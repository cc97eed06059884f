"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO


def write_durably(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a temporary file, sync it, and give it its name.

    The folder is not synced: a name that a power cut takes back leaves the state before it, which
    is whole. What an earlier process left half-written under the temporary name is overwritten; one
    process at a time writes into a trial's folder.
    """
    write_whole(path, write, sync=True)


def write_whole(path: Path, write: Callable[[IO[bytes]], object], *, sync: bool = False) -> None:
    """As `write_durably`, but without `sync` only for readers, not for power cuts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


class Background:
    """Writes while training goes on: a sync takes tens of milliseconds of waiting, not of work.

    One call at a time, in the order given. What one raises comes out of the next `flush`, and
    nothing given after it runs.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._pending: list[Future[None]] = []

    def submit(self, call: Callable[[], None]) -> None:
        """Run a call after those that were given before."""
        before = tuple(self._pending)

        def run() -> None:
            if not any(future.exception() for future in before):
                call()

        self._pending.append(self._pool.submit(run))

    def flush(self) -> None:
        """Wait until all is written.

        Raises:
            Exception: what one of the calls raised.
        """
        pending, self._pending = self._pending, []
        for future in pending:
            future.result()


def at_once(*calls: Callable[[], None]) -> None:
    """Run calls side by side, so that their syncs are waited for together.

    Raises:
        Exception: what the first of them raised, after all have ended.
    """
    with ThreadPoolExecutor(max(len(calls), 1)) as pool:
        futures = [pool.submit(call) for call in calls]
    for future in futures:
        future.result()
