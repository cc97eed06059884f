"""File locks: exclusive or shared, between threads and processes, released by death."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conf.runtime.file_lock import FileLock, is_locked, temporary_lock

HOLD = """
import sys, time
from pathlib import Path
from conf.runtime.file_lock import FileLock
FileLock.acquire(Path(sys.argv[1]))
print("locked", flush=True)
time.sleep(60)
"""


def test_a_killed_holder_releases_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
        assert is_locked(path) and FileLock.try_acquire(path) is None
        holder.send_signal(signal.SIGKILL)
    assert not is_locked(path)
    FileLock.acquire(path, timeout=0).close()


def test_a_lock_is_waited_for_until_the_timeout(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock.acquire(path), pytest.raises(TimeoutError, match=r"after 0\.1 s"):
        FileLock.acquire(path, timeout=0.1)
    lock = FileLock.acquire(path)
    threading.Timer(0.1, lock.close).start()
    FileLock.acquire(path, timeout=10).close()


def test_shared_locks_exclude_only_exclusive_ones(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    locks = [FileLock.try_acquire(path, shared=True) for _ in range(2)]
    assert None not in locks and FileLock.try_acquire(path) is None
    for lock in locks:
        assert lock is not None
        lock.close()
    with FileLock.acquire(path, timeout=0):
        assert FileLock.try_acquire(path, shared=True) is None


def test_a_missing_file_is_not_locked_and_not_created(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_the_content_is_replaced_in_the_locked_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock.acquire(path) as lock:
        lock.write(b"a longer content")
        lock.write(b"short")
        assert lock.read() == path.read_bytes() == b"short"
        assert is_locked(path)
    with FileLock.acquire(path) as lock:
        assert lock.read() == b"short"
    with pytest.raises(ValueError, match="is closed"):
        lock.read()


def test_a_temporary_lock_removes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with temporary_lock(path) as locked, temporary_lock(path, wait=False) as again:
        assert (locked, again, path.exists()) == (True, False, True)
    assert not path.exists()


def test_threads_that_wait_for_a_temporary_lock_enter_one_at_a_time(tmp_path: Path) -> None:
    inside, most = [], []

    def work() -> None:
        for _ in range(20):
            with temporary_lock(tmp_path / "lock"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and len(most) == 80
