"""`dense up` with the real servers: deploy, run, look, be killed, and leave nothing behind."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from conf.home import Home
from flows import servers
from tests.e2e.command import Command, of
from tests.e2e.same import values
from tests.e2e.test_deployments import epochs, overrides, wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def dense(used_home: Path, tmp_path: Path) -> Iterator[Command]:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(used_home / "mlflow.db", home)
    shutil.copytree(used_home / "data", home / "data")
    dense = Command(home, {"PREFECT_HOME": str(home / "prefect")})
    dense.env["PREFECT_WORKER_QUERY_SECONDS"] = "2"
    yield dense
    dense.run("down")
    for process in dense.processes():
        process.kill()


def prefect(dense: Command, *arguments: str, seconds: float = 500) -> str:
    found = servers.read(Home.open(dense.home))
    assert found is not None
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        env={**dense.environment(), "PREFECT_API_URL": found.prefect},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def experiments(address: str) -> set[str]:
    request = urllib.request.Request(
        f"{address}/api/2.0/mlflow/experiments/search",
        data=json.dumps({"max_results": 10}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return {each["name"] for each in found["experiments"]}


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_home_is_served_its_deployments_run_and_nothing_is_left(dense: Command) -> None:
    ports = [str(free_port()), str(free_port())]
    flags = ["--detach", "--prefect-port", ports[0], "--mlflow-port", ports[1]]
    said = dense.run("up", *flags)
    assert said.returncode == 0, said.stderr
    assert f"http://127.0.0.1:{ports[1]}" in said.stdout
    states = dense.run("ps").stdout.splitlines()
    assert [line.split()[:2] for line in states[1:4]] == [
        ["prefect", "well"],
        ["mlflow", "well"],
        ["worker", "well"],
    ]
    assert dense.run("up").stdout.startswith("up already")
    for page in (f"http://127.0.0.1:{ports[0]}/", f"http://127.0.0.1:{ports[1]}/"):
        with urllib.request.urlopen(page, timeout=60) as answer:
            assert b"<html" in answer.read().lower()

    prefect(dense, "deployment", "run", "study/digits", "-p", overrides("name=deployed"), "--watch")
    assert len(values(dense, "deployed")) == 2
    assert "deployed" in experiments(f"http://127.0.0.1:{ports[1]}")

    long = overrides("name=ended", "train.epochs=150")
    prefect(dense, "deployment", "run", "study/digits", "-p", long)
    wait_until(lambda: epochs(dense, "ended") >= 2)
    assert dense.run("down").stdout == "down\n"
    assert of(dense.journal("ended"), "stopped")[-1]["reason"] == "user"
    assert not dense.processes() and not (dense.home / "servers.json").exists()
    assert "deployed" in dense.run("status").stdout  # the home works without its servers

    before = (dense.home / "logs" / "deploy.log").stat().st_mtime_ns
    assert dense.run("up", *flags).returncode == 0
    assert (dense.home / "logs" / "deploy.log").stat().st_mtime_ns == before
    holder = servers.holder(Home.open(dense.home))
    assert holder is not None
    psutil.Process(holder.pid).kill()
    wait_until(lambda: not dense.processes(), seconds=60)
