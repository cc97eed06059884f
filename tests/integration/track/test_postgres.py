"""Many drivers record at once, through the server that `dense up --postgres` runs."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conf.runtime.home import Home
from flows.servers import postgres as database
from flows.servers import programs, state
from flows.servers.child import Child
from flows.servers.prefect import free_port
from tasks.track import store
from tests import postgres
from tests.integration.track.conftest import Recorded
from tests.unit.track.helpers import a_study

WRITERS = 16
pytestmark = pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose record is in PostgreSQL, behind MLflow's server."""
    home = Home.open(tmp_path_factory.mktemp("served") / "home")
    with postgres.server() as server:
        shown = database.keep_password(home, server.url)
        database.prepare(home, shown)
        ports = programs.Ports(1, free_port())
        state.write(home, programs.recording(ports, shown))
        mlflow = Child(programs.mlflow(home, ports.mlflow, shown))
        try:
            mlflow.wait_healthy(120)
            yield home
        finally:
            mlflow.close()
    files = [path for path in home.path.rglob("*") if path.is_file()]
    secrets = (postgres.PASSWORD.encode(), postgres.QUOTED.encode())
    found = {path for path in files if any(each in path.read_bytes() for each in secrets)}
    assert not found, "the password is where it should not be"
    assert stat.S_IMODE(database.password_file(home).stat().st_mode) == 0o600


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("trials", "epochs"),
    [(1, 3), pytest.param(12, 60, marks=pytest.mark.long)],
    ids=["few", "many"],
)
def test_sixteen_writers_lose_no_metric(
    served: Home, tmp_path: Path, trials: int, epochs: int
) -> None:
    names = [f"study-{trials}-{number}" for number in range(WRITERS)]
    studies = [Recorded(served, a_study(name=name, train={"epochs": epochs})) for name in names]
    page = tmp_path / "page.html"
    page.write_text("<html>")

    def drive(recorded: Recorded) -> bool:
        tracker = recorded.track()
        recorded.ask(*[8 * (number + 1) for number in range(trials)])
        for number in range(trials):
            recorded.attempt(number, until=epochs)
            recorded.epochs(number, *[(epoch + 1) / epochs for epoch in range(epochs)])
            recorded.finish(number)
        tracker.artifact(page)
        return recorded.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        assert all(pool.map(drive, studies)), "a writer did not end its record"
    client = store.client(store.tracking_uri(served))
    for name in names:
        found = client.get_experiment_by_name(name)
        assert found is not None and found.artifact_location.startswith("mlflow-artifacts:")
        runs = client.search_runs([found.experiment_id], "tags.`dense.kind` = 'trial'")
        assert len(runs) == trials
        for run in runs:
            points = client.get_metric_history(run.info.run_id, "val/accuracy")
            steps = {point.step: point.value for point in points}
            assert steps == {n: n / epochs for n in range(1, epochs + 1)}, "a metric was lost"
            assert run.info.status == "FINISHED" and run.data.metrics["objective"] == 1.0
