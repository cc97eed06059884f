"""File locks that the death of their holder releases.

The kernel keeps a lock (`flock`) with the open file, so no code has to clean up after a process
that was killed. A forked child shares the lock of its parent: it is free once the last of them is
gone or has closed it. What a holder writes into the file is the caller's affair.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

POLL_SECONDS = 0.02


class FileLock:
    """A lock that this process holds until `close`, the end of a `with` block, or its death.

    An object that is merely dropped stays locked, so that a process can hold a lock for life.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, path: Path, *, timeout: float | None = None) -> Self:
        """Lock a file exclusively, and create it where it is missing.

        Args:
            path: the file; its folder is created, too.
            timeout: seconds to wait for another holder; None waits without limit.

        Raises:
            TimeoutError: another process still holds the lock.
        """
        if timeout is None:
            lock = cls._open(path, fcntl.LOCK_EX)
            assert lock is not None
            return lock
        deadline = time.monotonic() + timeout
        while (lock := cls.try_acquire(path)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} is still locked after {timeout:g} s")
            time.sleep(min(POLL_SECONDS, timeout))
        return lock

    @classmethod
    def try_acquire(cls, path: Path, *, shared: bool = False) -> Self | None:
        """Lock a file without waiting; None while another process holds it.

        Several processes can hold a `shared` lock together, and none of them an exclusive one.
        """
        return cls._open(path, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)

    @classmethod
    def _open(cls, path: Path, operation: int) -> Self | None:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, operation)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return None
            raise
        return cls(path, descriptor)

    def read(self) -> bytes:
        """The content of the file."""
        descriptor = self._held()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)

    def write(self, content: bytes) -> None:
        """Replace the content of the file, in place: another file would not be locked."""
        descriptor = self._held()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content, 0)

    def is_current(self) -> bool:
        """Whether the path still names the locked file, and not another one or none."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._held()))
        except FileNotFoundError:
            return False

    def _held(self) -> int:
        if self._descriptor is None:
            raise ValueError(f"the lock {self.path} is closed")
        return self._descriptor

    def close(self) -> None:
        """Release the lock; a second call has no effect."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def is_locked(path: Path) -> bool:
    """Whether some process holds the exclusive lock of a file now.

    The check itself takes a shared lock for a moment. So two checks do not disturb each other, but
    a `try_acquire` at that moment fails.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def temporary_lock(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Lock something that is made once, and remove the lock file at the end.

    Gives whether the lock is held: without `wait`, another process may hold it.
    """
    lock = _current_lock(path, wait)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            with suppress(FileNotFoundError):
                path.unlink()
            lock.close()


def _current_lock(path: Path, wait: bool) -> FileLock | None:
    while True:
        lock = FileLock.acquire(path) if wait else FileLock.try_acquire(path)
        if lock is None or lock.is_current():
            return lock
        lock.close()  # the holder before us removed the file; lock the next one
