"""Locks of what is made once and shared: a file a lock, given back by its holder's death."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def file_lock(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock; whether it is held is what `with` gives: without `wait` it may be another's.

    The file is removed at the end; who waited for a removed file takes a new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _locked(path, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield file is not None
    finally:
        if file is not None:
            path.unlink(missing_ok=True)
            file.close()


def _locked(path: Path, how: int) -> IO[str] | None:
    while True:
        file = path.open("a")
        try:
            fcntl.flock(file, how)
        except BlockingIOError:
            file.close()
            return None
        with suppress(FileNotFoundError):  # who held it before us has removed it
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
        file.close()
