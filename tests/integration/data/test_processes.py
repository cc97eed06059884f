"""Real processes that prepare the same key: at once, and killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.prepare import prepare

PREPARE = """
import sys
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.prepare import prepare
import data.sources.builtin as builtin
read = builtin.BuiltinSource.read
def told(self, scratch):
    print("reading", flush=True)
    return read(self, scratch)
builtin.BuiltinSource.read = told
print("ready", flush=True)
sys.stdin.readline()
print(prepare(Study(name="digits"), Home.open()).key, flush=True)
"""


def started() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PREPARE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_of_two_processes_at_once_one_works(home: Home) -> None:
    processes = [started() for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120)[0].split() for process in processes]
    keys = {words[-1] for words in said}
    assert len(keys) == 1
    assert sorted(len(words) for words in said) == [1, 2]  # only one of them read the source
    assert (home.data / keys.pop() / "manifest.json").exists()


@pytest.mark.parametrize("after", [0.0, 0.05, 0.2, 0.5], ids=str)
def test_killed_anywhere_the_next_one_prepares(home: Home, after: float, tmp_path: Path) -> None:
    process = started()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    process.stdout.readline()  # it reads, and holds the lock
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    prepared = prepare(Study(name="digits"), home)
    whole = prepare(Study(name="digits"), Home.open(tmp_path / "other"))
    manifests = [json.loads((p.path / "manifest.json").read_text()) for p in (prepared, whole)]
    assert manifests[0] == manifests[1]
    assert not [path for path in home.data.iterdir() if path.name.startswith(".")]
