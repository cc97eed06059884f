"""A fit without batches is alive while its processes use the processor."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tasks.train.engine.client import RunningAttempt
from tasks.train.engine.protocol import BeganReport, ForkedReport
from tasks.train.engine.watch import Watch, cpu_seconds

BUSY = "while True: pass"
IDLE = "import time\nwhile True: time.sleep(0.5)"
BUSY_CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}])"


class Kills:
    """A server that only notes what it is asked to kill."""

    alive = True

    def __init__(self) -> None:
        self.killed: list[RunningAttempt] = []

    def kill(self, attempt: RunningAttempt) -> None:
        self.killed.append(attempt)

    def stop(self, attempt: RunningAttempt) -> None:
        raise AssertionError("nothing here stops a trial")


@pytest.fixture
def process(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", request.param], start_new_session=True) as started:
        yield started
        for pid in (started.pid, *children(started.pid)):
            subprocess.run(["kill", "-9", str(pid)], check=False)


def children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def watched(process: subprocess.Popen[bytes], *, batches: bool, seconds: float) -> Watch:
    """A watch that has followed a process for some seconds, killing after one without life."""
    watch = Watch(RunningAttempt(0), Kills(), 60.0, 1.0, batches)
    watch.receive(ForkedReport(id=0, pid=process.pid))
    watch.receive(BeganReport(id=0, began=0))
    follow(watch, seconds)
    return watch


def follow(watch: Watch, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and watch.sent is None:
        time.sleep(0.2)
        watch.check()


@pytest.mark.parametrize("process", [BUSY, BUSY_CHILD], indirect=True, ids=["itself", "a-child"])
def test_a_working_process_is_alive_until_it_stops_working(
    process: subprocess.Popen[bytes],
) -> None:
    watch = watched(process, batches=False, seconds=3.0)
    assert watch.sent is None
    for pid in (process.pid, *children(process.pid)):
        subprocess.run(["kill", f"-{int(signal.SIGSTOP)}", str(pid)], check=True)
    follow(watch, 10.0)
    assert watch.sent == "hang"
    assert isinstance(watch.server, Kills) and watch.server.killed == [watch.attempt]


@pytest.mark.parametrize("process", [IDLE], indirect=True)
def test_a_process_that_only_wakes_up_now_and_then_hangs(process: subprocess.Popen[bytes]) -> None:
    time.sleep(1.0)  # the interpreter's start is work
    assert watched(process, batches=False, seconds=10.0).sent == "hang"


@pytest.mark.parametrize("process", [BUSY], indirect=True)
def test_where_batches_are_reported_work_is_no_sign_of_life(
    process: subprocess.Popen[bytes],
) -> None:
    assert watched(process, batches=True, seconds=10.0).sent == "hang"


def test_a_process_that_has_ended_has_used_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    assert cpu_seconds(ended.pid) == 0.0
