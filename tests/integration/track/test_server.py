"""The record behind a real MLflow server that goes away and comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conf.runtime.home import Home
from tasks.track import store
from tests.integration.track.conftest import Recorded
from tests.integration.track.test_tracker import eventually
from tests.mlflow_server import MlflowServer


@pytest.fixture
def server(
    tmp_path: Path, home: Home, with_mlflow: Callable[[Home], Home], monkeypatch: pytest.MonkeyPatch
) -> Iterator[MlflowServer]:
    behind = with_mlflow(Home.open(tmp_path / "behind"))
    server = MlflowServer(tmp_path, store.own_uri(behind))
    server.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    yield server
    server.kill()


@pytest.mark.long
def test_what_happened_while_the_server_was_away_is_written_when_it_is_back(
    home: Home, server: MlflowServer, capfd: pytest.CaptureFixture[str]
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
