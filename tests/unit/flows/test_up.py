"""The servers of a home, kept by one process; small programs stand in for the real servers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO, cast

import psutil
import pytest

from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from flows.servers import state, up
from flows.servers.child import wait_until
from flows.servers.prefect import PrefectServer, free_port
from flows.servers.supervisor import HOUR, RESTARTS, Site

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(home: Home) -> Iterator[Start]:
    """Starts `dense up`; nothing of it outlives the test."""
    begun: list[subprocess.Popen[str]] = []

    def go(
        kind: str = "up", prefect: int = 0, out: IO[str] | int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        ports = [str(prefect or free_port()), str(free_port())]
        begun.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.unit.flows.standin", kind, *ports],
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return begun[-1]

    yield go
    for process in begun:
        process.kill()
        process.wait()


def is_up(home: Home) -> bool:
    return state.running(home) is not None


def pids(home: Home) -> dict[str, int]:
    found = state.read(home)
    assert found is not None
    return {service.name: service.pid for service in found.services}


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def everything(keeper: subprocess.Popen[str]) -> list[int]:
    return [process.pid for process in psutil.Process(keeper.pid).children(recursive=True)]


def test_up_ps_again_and_down(home: Home, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    keeper = start()
    assert wait_until(lambda: is_up(home), 30)
    # Three programs, each under its guard, and what the worker runs.
    assert wait_until(lambda: len(everything(keeper)) == 7, 10)
    running = everything(keeper)
    up.ps()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["prefect", "well"], ["mlflow", "well"]]
    up.up(up.Ports(1, 2), detach=False)  # looks at no port: it is up
    said = capsys.readouterr().out
    assert said.startswith("up already\nprefect  http://127.0.0.1:")
    up.down()
    assert capsys.readouterr().out == "down\n"
    assert keeper.wait(5) == 0
    assert all(map(gone, running)) and not state.path(home).exists()
    up.down()
    up.ps()
    assert capsys.readouterr().out.startswith("nothing is up\nnothing is up;")


def test_what_ends_is_started_again_and_ctrl_c_is_down(home: Home, start: Start) -> None:
    keeper = start()
    assert wait_until(lambda: is_up(home), 30)
    before = pids(home)
    os.killpg(before["mlflow"], signal.SIGKILL)
    assert wait_until(lambda: pids(home)["mlflow"] != before["mlflow"], 20)
    os.killpg(before["prefect"], signal.SIGKILL)
    assert wait_until(lambda: pids(home)["prefect"] != before["prefect"], 20)
    assert pids(home)["worker"] == before["worker"]
    os.killpg(before["worker"], signal.SIGKILL)
    assert wait_until(lambda: pids(home)["worker"] != before["worker"], 20)
    assert wait_until(lambda: len(everything(keeper)) == 8, 10)  # what the first worker ran goes on
    running = everything(keeper)
    keeper.send_signal(signal.SIGINT)
    out, _ = keeper.communicate(timeout=30)
    assert keeper.returncode == 0 and "mlflow ended and is started again" in out
    assert all(map(gone, running)) and not state.path(home).exists()


def test_nothing_outlives_a_killed_keeper(
    home: Home, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    keeper = start()
    assert wait_until(lambda: is_up(home), 30)
    running = everything(keeper)
    keeper.kill()
    keeper.wait()
    assert wait_until(lambda: all(map(gone, running)), 20)
    up.ps()
    assert capsys.readouterr().out.startswith("nothing is up")
    assert start() and wait_until(lambda: state.holder(home) is not None, 20)


def test_of_two_that_begin_at_once_one_says_that_it_is_up(home: Home, start: Start) -> None:
    both = [start(), start()]
    assert wait_until(lambda: any(each.poll() is not None for each in both), 60)
    other, keeper = sorted(both, key=lambda each: each.poll() is None)
    out, error = other.communicate()
    assert (other.returncode, error) == (0, "") and out.startswith("up already\nprefect  http://")
    assert is_up(home) and keeper.poll() is None


def test_a_log_that_takes_nothing_more_ends_no_server(home: Home, start: Start) -> None:
    with open("/dev/full", "w") as full:
        keeper = start(out=full)
    assert wait_until(lambda: is_up(home), 30)
    before = pids(home)
    os.killpg(before["mlflow"], signal.SIGKILL)
    assert wait_until(lambda: pids(home)["mlflow"] != before["mlflow"], 20)
    assert keeper.poll() is None


def test_a_program_that_ends_now_and_then_is_started_again_for_ever(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(home, up.Ports(), cast(PrefectServer, None))
    now = 0.0
    monkeypatch.setattr("flows.servers.supervisor.time", SimpleNamespace(monotonic=lambda: now))
    for now in range(0, 20 * int(HOUR), int(HOUR / 5)):  # noqa: B007
        site.count("worker", home.logs, print)
    with pytest.raises(DenseError, match="worker ended 6 times within an hour"):
        for _ in range(RESTARTS):
            site.count("worker", home.logs, print)


def test_a_taken_port_and_a_program_that_ends_are_said(home: Home, start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        keeper = start(prefect=taken.getsockname()[1])
        _, error = keeper.communicate(timeout=30)
    assert keeper.returncode == 2 and "give another with --prefect-port" in error
    keeper = start("broken")
    _, error = keeper.communicate(timeout=30)
    assert keeper.returncode == 1 and "worker ended; its log is" in error
    assert not state.path(home).exists() and state.holder(home) is None


def test_one_port_is_not_for_two() -> None:
    with pytest.raises(BadInput, match="both servers cannot listen on port 4200"):
        up.Ports(4200, 4200)


@pytest.mark.parametrize("content", ["{", "[]", '{"prefect": 1}'])
def test_servers_that_cannot_be_read_are_bad_input(home: Home, content: str) -> None:
    state.path(home).write_text(content)
    with pytest.raises(BadInput, match=r"servers\.json cannot be read"):
        state.read(home)


def test_what_runs_apart_is_asked_first_and_has_its_time(tmp_path: Path) -> None:
    """A flow run is a session of its own below the worker: it saves before the worker may end."""
    apart = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(0.5); pathlib.Path('saved').touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path('ready').touch(); time.sleep(1000)\n"
    )
    (tmp_path / "apart.py").write_text(apart)
    (tmp_path / "command.py").write_text(
        "import signal, subprocess, sys, time, pathlib\n"
        "p = subprocess.Popen([sys.executable, 'apart.py'], start_new_session=True)\n"
        "def end(*_):\n"
        "    p.kill(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path('pid').write_text(str(p.pid)); time.sleep(1000)\n"
    )
    root = Path(__file__).parents[3]
    guard = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "flows.servers.guard",
            "--grace",
            "10",
            sys.executable,
            "command.py",
        ],
        stdin=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        start_new_session=True,
    )
    assert wait_until(lambda: (tmp_path / "ready").exists() and (tmp_path / "pid").exists(), 20)
    begun = time.monotonic()
    assert guard.stdin is not None
    guard.stdin.close()
    guard.wait(20)
    assert (tmp_path / "saved").exists() and time.monotonic() - begun < 10
    assert gone(int((tmp_path / "pid").read_text()))


def test_prefects_part_is_what_runs_read(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.servers.prefect import configured_api
    from tasks.track.store import own_uri, tracking_uri

    service = state.Service(name="mlflow", pid=1, health="h", page="p", log="l")
    state.write(home, state.Servers(prefect="http://127.0.0.1:9/api", services=(service,)))
    assert json.loads(state.path(home).read_text())["prefect"] == "http://127.0.0.1:9/api"
    monkeypatch.setattr("flows.servers.prefect.answers", lambda url: True)
    monkeypatch.setenv("PREFECT_HOME", str(home.path / "none"))
    assert configured_api(home) == "http://127.0.0.1:9/api"
    assert tracking_uri(home) == own_uri(home)  # the same database, servers up or down
