"""The record behind a real MLflow server that goes away and comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from conf.runtime.home import Home
from flows.servers.prefect import free_port
from tasks.track import store
from tests.integration.track.conftest import Recorded
from tests.integration.track.test_tracker import eventually


class Server:
    """`mlflow server` on a port and a database that outlive its process."""

    def __init__(self, folder: Path, database: str) -> None:
        self.port = free_port()
        self.folder = folder
        self.database = database
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        options += ["--backend-store-uri", self.database]
        options += ["--artifacts-destination", str(self.folder / "served")]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *options],
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        eventually(self.answers, 90)

    def answers(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(
    tmp_path: Path, home: Home, with_mlflow: Callable[[Home], Home], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    behind = with_mlflow(Home.open(tmp_path / "behind"))
    server = Server(tmp_path, store.own_uri(behind))
    server.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    yield server
    server.kill()


def test_what_happened_while_the_server_was_away_is_written_when_it_is_back(
    home: Home, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    recorded = Recorded(home)
    tracker = recorded.track()
    recorded.ask(8, 16, 32)
    recorded.complete(0, 0.5, 0.6, 0.7, 0.8)
    eventually(lambda: recorded.child(0)["status"] == "FINISHED")
    recorded.attempt(1)
    recorded.epochs(1, 0.5)
    server.kill()
    recorded.epochs(1, 0.6, 0.7, 0.9)
    recorded.finish(1)
    recorded.complete(2, 0.5, 0.6, 0.7, 0.6)
    page = home.path / "page.html"
    page.write_text("<html>")
    tracker.artifact(page)
    eventually(lambda: tracker._away is not None)
    server.start()
    assert tracker.close(60), tracker.complaint
    statuses = [recorded.child(number)["status"] for number in range(3)]
    assert statuses == ["FINISHED"] * 3
    assert recorded.child(2)["latest"]["objective"] == 0.7
    client = store.client(tracker.uri)
    found = {each.path for each in client.list_artifacts(tracker.parent_run_id)}
    assert found == {"page.html", "config.yaml"}
    assert capfd.readouterr().out == ""
