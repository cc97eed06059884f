"""The lock between real processes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conf.runtime.errors import Held
from tasks.study.lock import Holder, holder_of, lock_study

HOLD = """
import sys, time
from pathlib import Path
from tasks.study.lock import Holder, lock_study
import os
lock = lock_study(Path(sys.argv[1]), Holder(os.getpid(), "elsewhere", 12.5, "run-7"))
print("held", flush=True)
time.sleep(60)
"""


def me() -> Holder:
    """This process."""
    return Holder(os.getpid(), "here", 1.0)


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    path = tmp_path / "digits" / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None and other.stdout.readline() == "held\n"
            assert holder_of(path) == Holder(other.pid, "elsewhere", 12.5, "run-7")
            wanted = rf"'digits' is held by process {other.pid} on elsewhere, flow run run-7"
            with pytest.raises(Held, match=wanted):
                lock_study(path, me())
            assert holder_of(path) == Holder(other.pid, "elsewhere", 12.5, "run-7")
        finally:
            other.send_signal(signal.SIGKILL)
    assert holder_of(path) is None
    with lock_study(path, me()):
        assert holder_of(path) == me()


def test_a_lock_given_back_can_be_taken(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = lock_study(path, me())
    with pytest.raises(Held):
        lock_study(path, me())
    lock.close()
    lock.close()
    with lock_study(path, Holder(1, "x", 0.0)):
        assert holder_of(path) == Holder(1, "x", 0.0)


def test_somebody_who_only_looks_does_not_refuse_a_driver(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock_study(path, me()).close()
    looking = os.open(path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    glance = threading.Timer(0.05, os.close, [looking])
    glance.start()
    lock_study(path, me()).close()
    glance.join()


def test_a_lock_that_is_not_there_is_not_held(tmp_path: Path) -> None:
    assert holder_of(tmp_path / "lock") is None
