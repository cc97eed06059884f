"""Reports between processes: whole lines, and nobody waits for a driver that does not read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from hypothesis import given
from hypothesis import strategies as st

from tasks.train.engine.client import server_environment
from tasks.train.engine.protocol import LineBuffer, Reporter, write_line


@given(st.lists(st.integers(0, 1000), max_size=20), st.integers(1, 15))
def test_lines_come_out_whole_however_they_arrive(numbers: list[int], size: int) -> None:
    sent = b"".join((json.dumps({"id": n}) + "\n").encode() for n in numbers)
    buffer = LineBuffer()
    received = [
        line for at in range(0, len(sent), size) for line in buffer.feed(sent[at : at + size])
    ]
    assert received == [{"id": n} for n in numbers]


def test_beats_are_rare_and_never_block() -> None:
    reader, writer = os.pipe()
    reporter = Reporter(writer, 7)
    reporter.began(None)
    for _ in range(100):
        reporter.beat()
    lines = os.read(reader, 65_536).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": 7, "began": None},
        {"id": 7, "beat": True},
    ]
    os.set_blocking(writer, False)
    try:
        while True:
            write_line(writer, {"fill": "x" * 100})
    except BlockingIOError:
        os.set_blocking(writer, True)
    started = time.monotonic()
    Reporter(writer, 8).beat()
    assert time.monotonic() - started < 1.0
    os.close(reader)
    Reporter(writer, 9).beat()  # nobody will ever read it
    os.close(writer)


def test_the_guard_ends_the_group_when_the_pipe_hangs_up() -> None:
    code = (
        "import os, sys, time; from tasks.train.engine.protocol import guard_own_group\n"
        "os.setpgid(0, 0); guard_own_group(0, os.getppid()); print('ready', flush=True)\n"
        "time.sleep(100)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("what is in the pipe does not matter")
    process.stdin.flush()
    time.sleep(0.7)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(10) == -9


def test_a_trials_environment_holds_nothing_of_its_driver() -> None:
    given_ = {"PREFECT__FLOW_RUN_ID": "x", "RANK": "1", "MASTER_PORT": "1", "HOME": "/home"}
    made = server_environment(given_ | {"PL_GLOBAL_SEED": "1", "OMP_NUM_THREADS": "64"})
    assert made["HOME"] == "/home" and made["OMP_NUM_THREADS"] == "1"
    assert not {"PREFECT__FLOW_RUN_ID", "RANK", "MASTER_PORT", "PL_GLOBAL_SEED"} & set(made)


def test_a_trial_keeps_its_memory_unless_the_user_says_how() -> None:
    assert server_environment({})["MALLOC_MMAP_MAX_"] == "0"
    assert server_environment({"MALLOC_MMAP_MAX_": "9"})["MALLOC_MMAP_MAX_"] == "9"
