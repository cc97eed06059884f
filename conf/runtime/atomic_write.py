"""Atomic writes of files and folders: a reader sees the old or the new content, never a half.

Content is written beside its place and renamed at the end. A file that is also synced survives a
power cut; a folder whose entries are not synced may then show the state before the write.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

Sync = Literal["none", "file", "folder"]
"""What is on disk when a write returns: nothing for sure, the content, or also the file's name."""
Existing = Literal["replace", "keep", "refuse"]
"""What becomes of a file of that name: the new one takes its place, or it stays, or an error."""


def write_atomically(
    path: Path, content: str, *, sync: Sync = "folder", existing: Existing = "replace"
) -> None:
    """Write a text file that several processes may write; only its owner may read it.

    Raises:
        FileExistsError: the file exists, and `existing` is `refuse`.
    """
    with atomic_file(path, sync=sync, existing=existing) as file:
        file.write(content.encode())


def write_durably(path: Path, content: bytes | memoryview, *, sync: Sync = "file") -> None:
    """Write a file of a folder that one process at a time writes into, such as a trial's.

    The folder is not synced: a power cut leaves the new content or the old, and both are whole.
    """
    with atomic_file(path, sync=sync, single_writer=True) as file:
        file.write(content)


@contextmanager
def atomic_file(
    path: Path,
    *,
    sync: Sync = "folder",
    existing: Existing = "replace",
    single_writer: bool = False,
) -> Iterator[IO[bytes]]:
    """Open a temporary file for writing; it gets its name when the block ends without an error.

    Args:
        path: the file; its folder is created, too.
        sync: what must be on disk at the end.
        existing: what becomes of a file of that name.
        single_writer: no other process writes this file now. Then its temporary name is always
            the same, and what a killed process left there is overwritten.

    Raises:
        FileExistsError: the file exists, and `existing` is `refuse`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if single_writer:
        temporary = _temporary(path)
        file: IO[bytes] = temporary.open("wb")
    else:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary, file = Path(name), os.fdopen(descriptor, "wb")
    try:
        with file:
            yield file
            file.flush()
            if sync != "none":
                os.fsync(file.fileno())
        _give_name(temporary, path, existing)
        if sync == "folder":
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A free path beside `path`: the file or folder made there replaces `path` when the block ends.

    One process at a time; what a killed one left is removed. Nothing is synced.
    """
    temporary = _temporary(path)
    _remove(temporary)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        if temporary.is_dir():
            _remove(path)
        temporary.replace(path)
    finally:
        _remove(temporary)


def sync_folder(path: Path) -> None:
    """Sync the entries of a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def _give_name(temporary: Path, path: Path, existing: Existing) -> None:
    if existing == "replace":
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)  # unlike a rename it replaces no file
    except FileExistsError:
        if existing == "refuse":
            raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


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
