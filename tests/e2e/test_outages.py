"""Each server of a site goes away in the middle of a study, and comes back: nothing is lost.

The records are in PostgreSQL, where MLflow's server is the only way to them.
"""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from sklearn.datasets import load_wine

from conf.runtime.home import Home
from flows.servers import state
from tasks.track import store
from tests import postgres
from tests.e2e.command import of
from tests.e2e.same import values
from tests.e2e.site import QUICK, Site, processes_of
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing()),
]

EPOCHS = 60
FEW = ("search.trials=4",)
LASTING = ("search.trials=1000", "stop.seconds=120")
"""Trials that still come when a server has been away for a minute, on however fast a machine."""
MINUTE = 60
STEADY = [
    f"train.epochs={EPOCHS}",
    "model.width=16",
    "resources.slots=2",
    "search.strategy=sobol",
    "search.space={train.lr: {low: 1e-4, high: 1e-1, scale: log}}",
    "champion.enabled=false",
    "tracking.patience=120",
]


@pytest.fixture(scope="module")
def database() -> Iterator[postgres.Server]:
    with postgres.server() as server:
        yield server


@pytest.fixture(scope="module")
def site(
    used_home: Path, database: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site") / "home"
    home.mkdir()
    shutil.copytree(used_home / "data", home / "data")
    site = Site.of(home)
    try:
        site.up("--postgres", database.url)
        yield site
    finally:
        site.close()


def begin(site: Site, name: str, trials: tuple[str, ...] = FEW) -> str:
    """Start a study as a person does, and wait until its trials are at it."""
    overrides = [f"name={name}", *trials, *STEADY]
    run = site.api.start("study/digits", parameters={"study": "digits", "overrides": overrides})
    wait_until(lambda: site.dense.epochs(name) >= 5)
    return run


def runs_of(client: MlflowClient, name: str, kind: str) -> list[Run]:
    found = client.get_experiment_by_name(name)
    assert found is not None
    runs: list[Run] = client.search_runs([found.experiment_id], f"tags.`dense.kind` = '{kind}'")
    return runs


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_whole(site: Site, name: str) -> None:
    """Every trial came to its end once, and MLflow has all that the home has of it."""
    found = values(site.dense, name)
    begun = {line["number"] for line in of(site.dense.journal(name), "attempt")}
    assert begun and set(found) == begun
    client = store.client(site.mlflow)
    runs = {int(run.data.tags["dense.trial"]): run for run in runs_of(client, name, "trial")}
    assert set(runs) == begun
    for number, run in runs.items():
        assert run.info.status == "FINISHED" and run.data.metrics["objective"] == found[number]
        (folder,) = (site.dense.home / "trials" / name).glob(f"{number}-*")
        points = client.get_metric_history(run.info.run_id, "train/loss")
        kept = [(line["epoch"], line["metrics"]["train/loss"]) for line in lines(folder)]
        assert sorted((point.step, point.value) for point in points) == kept
        assert len(kept) == EPOCHS
    assert [run.info.status for run in runs_of(client, name, "study")] == ["FINISHED"]


def assert_undisturbed(site: Site, run: str, name: str) -> None:
    """The run went on as if nothing had happened."""
    wait_until(lambda: site.api.ended(run), 600)
    assert site.api.state(run) == "Completed", site.api.message(run)
    attempts = Counter(line["number"] for line in of(site.dense.journal(name), "attempt"))
    assert set(attempts.values()) == {1}, "a trial was disturbed"
    assert_whole(site, name)


def stuck_then_gone(site: Site, program: str) -> None:
    """A program answers nobody for a minute, while trials go on; then it is killed."""
    site.signal(program, signal.SIGSTOP)
    time.sleep(MINUTE)
    assert site.dense.trials(), "the study did not last"
    site.signal(program, signal.SIGKILL)


def completed(site: Site, deployment: str, **parameters: Any) -> str:
    """A run of a deployment that came to its end."""
    run = site.api.start(deployment, parameters=parameters)
    wait_until(lambda: site.api.ended(run), 600)
    assert site.api.state(run) == "Completed", site.api.message(run)
    return run


def test_a_study_and_what_its_champion_is_worth_are_recorded_through_the_servers(
    site: Site,
) -> None:
    completed(site, "study/wine", study="wine", overrides=["name=recorded", *QUICK])
    client = store.client(site.mlflow)
    (parent,) = runs_of(client, "recorded", "study")
    assert parent.info.artifact_uri.startswith("mlflow-artifacts:")
    kept = {each.path for each in client.list_artifacts(parent.info.run_id)}
    assert {"recorded.html", "config.yaml"} <= kept
    assert list((site.dense.home / "artifacts").rglob("recorded.html"))
    assert client.get_model_version_by_alias("recorded", "champion").version == "1"
    assert len(runs_of(client, "recorded", "trial")) == 2

    wine = load_wine(as_frame=True)
    classes = [str(wine.target_names[number]) for number in wine.target]
    wine.data.assign(label=classes)[::3].to_csv(site.given / "june.csv", index=False)
    run = completed(site, "evaluate/evaluate", study="recorded", files=["june.csv"])
    assert site.api.run(run)["name"] == "recorded on june.csv"
    (table,) = site.api.ask("/artifacts/filter", {"flow_runs": {"id": {"any_": [run]}}})
    (row,) = json.loads(table["data"])
    assert row["rows"] == 60 and 0 < float(row["accuracy"].split()[0]) <= 1


def test_the_nightly_schedule_fires_and_goes_on_where_the_last_night_ended(site: Site) -> None:
    """With nights of half a minute."""
    nightly = site.api.deployment("study/digits-nightly")
    (kept,) = nightly["schedules"]
    path = f"/deployments/{nightly['id']}/schedules/{kept['id']}"
    parameters = {"overrides": ["name=nightly", "champion.enabled=false", *QUICK], "more": 2}
    often = {"schedule": {"interval": 30}, "active": True, "parameters": parameters}
    site.api.ask(path, often, "PATCH")
    wait_until(lambda: len(of(site.dense.journal("nightly"), "target")) >= 2)
    site.api.ask(path, {"schedule": kept["schedule"], "active": False}, "PATCH")
    targets = of(site.dense.journal("nightly"), "target")
    for each in targets:
        wait_until(lambda run=each["key"]: site.api.ended(run))
        assert site.api.state(each["key"]) == "Completed", site.api.message(each["key"])
        assert site.api.run(each["key"])["auto_scheduled"]
    assert [each["trials"] for each in targets] == [4 + 2 * night for night in range(len(targets))]
    assert sorted(values(site.dense, "nightly")) == list(range(targets[-1]["trials"]))
    attempts = Counter(line["number"] for line in of(site.dense.journal("nightly"), "attempt"))
    assert set(attempts.values()) == {1}, "a trial was run twice"


def test_mlflow_is_away_for_a_minute(site: Site) -> None:
    run = begin(site, "mlflow-away", LASTING)
    stuck_then_gone(site, "mlflow")
    assert_undisturbed(site, run, "mlflow-away")


def test_prefect_is_away_for_a_minute(site: Site) -> None:
    run = begin(site, "prefect-away", LASTING)
    lease = site.api.run(run)["state"]["state_details"]["deployment_concurrency_lease_id"]
    before = site.pid("prefect")
    stuck_then_gone(site, "prefect")
    wait_until(lambda: site.pid("prefect") != before)
    # A run whose lease cannot be renewed is ended by Prefect within minutes.
    site.api.ask(f"/v2/concurrency_limits/leases/{lease}/renew", {"lease_duration": 300})
    assert_undisturbed(site, run, "prefect-away")
    assert site.api.places_taken("study/digits") == 0
    run = begin(site, "cancelled")  # by the worker that was there before
    site.api.set_state(run, "CANCELLING")
    wait_until(lambda: not site.dense.trials(), 60)
    wait_until(lambda: site.api.state(run) == "Cancelled", 60)


def test_the_database_of_both_is_gone_for_a_while(site: Site, database: postgres.Server) -> None:
    run = begin(site, "database-away")
    database.stop()
    time.sleep(10)
    database.start()
    assert_undisturbed(site, run, "database-away")


def test_a_worker_is_killed_and_its_run_goes_on(site: Site) -> None:
    run = begin(site, "worker-away")
    before = site.pid("worker")
    site.signal("worker", signal.SIGKILL)
    wait_until(lambda: site.pid("worker") != before)
    assert_undisturbed(site, run, "worker-away")


def test_a_run_whose_worker_died_is_stopped_by_the_command(site: Site) -> None:
    run = begin(site, "stopped", LASTING)
    before = site.pid("worker")
    site.signal("worker", signal.SIGKILL)
    said = site.dense.run("stop", "stopped")
    assert said.returncode == 0, said.stderr
    wait_until(lambda: not processes_of(site.dense, run), 120)
    assert of(site.dense.journal("stopped"), "stopped")[-1]["reason"] == "user"
    assert site.api.state(run) == "Cancelled", site.api.message(run)
    wait_until(lambda: site.pid("worker") != before)


def test_a_second_run_of_a_study_is_skipped_and_one_that_waits_can_be_cancelled(
    site: Site,
) -> None:
    run = begin(site, "held")
    parameters = site.api.run(run)["parameters"]
    second = site.api.start("study/digits-nightly", parameters=parameters)
    waiting = site.api.start("study/digits", parameters=parameters)  # for the place
    wait_until(lambda: site.api.ended(second))
    assert site.api.state(second) == "Skipped" and "held by" in site.api.message(second)
    site.api.ask(f"/flow_runs/{waiting}/set_state", {"state": {"type": "CANCELLING"}})
    wait_until(lambda: site.api.state(waiting) == "Cancelled", 60)
    assert_undisturbed(site, run, "held")


def test_a_run_killed_with_its_worker_frees_its_place_for_the_next_which_goes_on(
    site: Site,
) -> None:
    """As when a machine is gone: nobody is left to say so, but the watch."""
    run = begin(site, "killed")
    again = site.api.start("study/digits", parameters=site.api.run(run)["parameters"])
    site.signal("worker", signal.SIGKILL)
    for process in processes_of(site.dense, run):
        process.kill()
    asked = of(site.dense.journal("killed"), "asked")
    assert site.api.state(run) == "Running" and site.api.places_taken("study/digits") == 1
    wait_until(lambda: site.api.state(run) == "Crashed", 300)
    wait_until(lambda: site.api.ended(again), 600)
    assert site.api.state(again) == "Completed", site.api.message(again)
    journal = site.dense.journal("killed")
    assert of(journal, "asked")[: len(asked)] == asked, "what was asked was asked again"
    assert any(line["epoch"] > 0 for line in of(journal, "attempt")), "nothing was continued"
    assert_whole(site, "killed")


def test_down_ends_also_the_run_of_a_worker_that_is_gone(
    site: Site, database: postgres.Server
) -> None:
    run = begin(site, "ended")
    before = site.pid("worker")
    site.signal("worker", signal.SIGKILL)
    wait_until(lambda: site.pid("worker") != before)
    assert processes_of(site.dense, run)
    assert site.dense.run("down").stdout == "down\n"
    assert not site.dense.processes()
    assert of(site.dense.journal("ended"), "stopped")[-1]["reason"] == "user"
    kept = state.read(Home.open(site.dense.home))
    assert kept is not None and kept.mlflow == site.mlflow and kept.services == ()
    assert kept.postgres is not None and postgres.QUOTED not in kept.postgres
    refused = site.dense.run("run", "digits", "search.trials=1")
    assert refused.returncode == 2 and "start it with `dense up`" in refused.stderr
