"""Reports between processes: whole lines, and nobody waits for a driver that does not read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.train.engine.client import server_environment
from tasks.train.engine.protocol import (
    COMMANDS,
    REPORTS,
    BeatReport,
    BeganReport,
    Command,
    ExitReport,
    ForkedReport,
    ImportCommand,
    KillCommand,
    LineBuffer,
    ReadyReport,
    Report,
    Reporter,
    RunCommand,
    StopCommand,
    write_line,
)


@given(st.lists(st.integers(0, 1000), max_size=20), st.integers(1, 15))
def test_lines_come_out_whole_however_they_arrive(numbers: list[int], size: int) -> None:
    sent = b"".join(StopCommand(stop=n).as_line() for n in numbers)
    buffer = LineBuffer(COMMANDS)
    received = [
        line for at in range(0, len(sent), size) for line in buffer.feed(sent[at : at + size])
    ]
    assert received == [StopCommand(stop=n) for n in numbers]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (RunCommand(run=1, folder=Path("/a")), {"run": 1, "folder": "/a"}),
        (StopCommand(stop=2), {"stop": 2}),
        (KillCommand(kill=3), {"kill": 3}),
        (ImportCommand(modules=("torch",)), {"import": ["torch"]}),
    ],
    ids=["run", "stop", "kill", "import"],
)
def test_commands_keep_their_fields_on_the_pipe(command: Command, line: dict[str, object]) -> None:
    assert json.loads(command.as_line()) == line
    assert COMMANDS.validate_python(line) == command


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (ReadyReport(ready=True), {"ready": True}),
        (ForkedReport(id=1, pid=2), {"id": 1, "pid": 2}),
        (BeganReport(id=1, began=None), {"id": 1, "began": None}),
        (BeatReport(id=1, beat=True), {"id": 1, "beat": True}),
        (ExitReport(id=1, status=9, memory=5), {"id": 1, "status": 9, "memory": 5}),
    ],
    ids=["ready", "forked", "began", "beat", "exit"],
)
def test_reports_keep_their_fields_on_the_pipe(report: Report, line: dict[str, object]) -> None:
    assert json.loads(report.as_line()) == line
    assert REPORTS.validate_python(line) == report


@pytest.mark.parametrize("line", ["noise", "{}", '{"id": 1}', '{"id": 1, "pid": 2, "beat": true}'])
def test_a_line_that_is_no_report_is_refused(line: str) -> None:
    with pytest.raises(ValidationError):
        list(LineBuffer(REPORTS).feed(line.encode() + b"\n"))


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
            write_line(writer, ImportCommand(modules=("x" * 100,)))
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
