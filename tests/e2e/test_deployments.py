"""A real Prefect server, pool and process worker: deploy, run, cancel, continue, fall silent."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from conf.home import Home
from flows.server import PrefectServer
from tests.e2e.command import Command, of
from tests.e2e.prefect_api import Api
from tests.e2e.same import values
from tests.waiting import wait_until

SCHEDULED = {"state": {"type": {"any_": ["SCHEDULED"]}}}
SILENT = "dense: a flow run fell silent"
ROOT = Path(__file__).parents[2]
# One trial, long enough to be still at it when the cancellation arrives, and no champion.
LONG = ["search.trials=1", "train.epochs=150", "model.width=16", "champion.enabled=false"]


class Site:
    """A home with a Prefect server of its own, a pool, and a worker."""

    def __init__(self, home: Path) -> None:
        self.dense = Command(home)
        self.server = PrefectServer(Home.open(home), full=True)
        self.dense.env["PREFECT_API_URL"] = self.server.wait()
        self.dense.env["PREFECT_HOME"] = str(home / "prefect")
        self.dense.env["PREFECT_WORKER_QUERY_SECONDS"] = "1"
        self.api = Api(self.server.url)
        self.worker: subprocess.Popen[str] | None = None

    def python(self, *arguments: str) -> None:
        """Run `python ARGUMENTS` as a client of the server."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.dense.environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"

    def start_worker(self) -> None:
        """A process worker on the pool `dense`."""
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "dense"]
        with (self.dense.home / "worker.log").open("w") as log:
            self.worker = subprocess.Popen(
                [*command, "--type", "process", "--name", "here"],
                env=self.dense.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def close(self) -> None:
        """End the worker, the server and whatever they started."""
        if self.worker is not None:
            self.worker.terminate()
            try:
                self.worker.wait(30)
            except subprocess.TimeoutExpired:
                self.worker.kill()
        self.api.close()
        self.server.close()
        for process in self.dense.processes():
            process.kill()


DEPLOY = """
import sys
from prefect.blocks.notifications import CustomWebhookNotificationBlock as Block
from flows import deploy
told = {"subject": "{{subject}}", "body": "{{body}}"}
Block(name="lab", url=sys.argv[1], method="POST", json_data=told).save("lab")
deploy.main("dense")
"""


@pytest.fixture(scope="module")
def heard() -> Iterator[Ear]:
    """Somebody who is told how studies end."""
    ear = Ear()
    threading.Thread(target=ear.serve_forever, daemon=True).start()
    yield ear
    ear.shutdown()
    ear.server_close()


class Ear(HTTPServer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        told: list[dict[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

        super().__init__(("127.0.0.1", 0), Handler)
        self.told = told


@pytest.fixture(scope="module")
def site(used_home: Path, heard: Ear, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site") / "home"
    home.mkdir()
    shutil.copy(used_home / "mlflow.db", home)
    shutil.copytree(used_home / "data", home / "data")
    site = Site(home)
    try:
        site.python("-c", DEPLOY, f"http://127.0.0.1:{heard.server_port}/")
        site.api.ask("/variables/name/dense_notify", {"value": "custom-webhook/lab"}, "PATCH")
        site.start_worker()
        yield site
    finally:
        site.close()


def silent_run(site: Site) -> str:
    """A flow run that held its deployment's only place, said once that it lives, and no more.

    It is watched as all are, for ten seconds only.
    """
    pause(site, True)  # or the worker would run it
    run = site.api.start("study/wine")
    site.api.set_state(run, "PENDING")
    (watch,) = [each for each in site.api.ask("/automations/filter") if each["name"] == SILENT]
    mine = {"match": {"prefect.resource.id": f"prefect.flow-run.{run}"}, "within": 10}
    short = {"trigger": {**watch["trigger"], **mine}, "actions": watch["actions"]}
    site.api.ask("/automations/", {"name": "impatient", **short})
    site.api.set_state(run, "RUNNING")
    pause(site, False)
    beat = {
        "id": str(uuid4()),
        "event": "prefect.flow-run.heartbeat",
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
    }
    site.api.ask("/events", [beat])
    return run


def pause(site: Site, paused: bool) -> None:
    """Let the worker start nothing, or go on."""
    site.api.ask("/work_pools/dense", {"is_paused": paused}, "PATCH")


def test_a_schedule_makes_runs(site: Site) -> None:
    """One that fires is waited for in test_outages.py."""
    path = f"/deployments/{site.api.deployment('study/wine')['id']}"
    (made,) = site.api.ask(
        f"{path}/schedules", [{"schedule": {"interval": 30 * 86_400}, "active": True}]
    )
    site.api.ask(f"{path}/schedule", {"min_runs": 1})
    planned = {"deployments": {"name": {"any_": ["wine"]}}, "flow_runs": SCHEDULED}
    assert site.api.ask("/flow_runs/filter", planned)
    site.api.ask(f"{path}/schedules/{made['id']}", method="DELETE")


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_deployment_is_cancelled_and_continued_and_a_silent_run_frees_its_place(
    site: Site, heard: Ear
) -> None:
    silent = silent_run(site)
    assert site.api.places_taken("study/wine") == 1
    parameters = {"study": "digits", "overrides": ["name=cancelled", *LONG]}
    run = site.api.start("study/digits", parameters=parameters)
    wait_until(lambda: site.dense.epochs("cancelled") >= 2)
    begun = time.monotonic()
    site.api.set_state(run, "CANCELLING")
    wait_until(lambda: not site.dense.trials())
    took = time.monotonic() - begun
    site.dense.until(lambda lines: bool(of(lines, "stopped")), "cancelled", seconds=120)
    assert of(site.dense.journal("cancelled"), "stopped")[-1]["reason"] == "user"
    wait_until(lambda: site.api.state(run) == "Cancelled")
    assert took < 60, "trials outlived the cancellation"  # seconds, on a machine that is not busy
    asked = of(site.dense.journal("cancelled"), "asked")

    again = site.api.start("study/digits", parameters=parameters)
    wait_until(lambda: site.api.state(again) in ("Completed", "Failed", "Crashed"), 600)
    assert site.api.state(again) == "Completed", site.api.run(again)["state"]["message"]
    journal = site.dense.journal("cancelled")
    assert of(journal, "asked") == asked, "what was asked was asked again"
    assert any(line["epoch"] > 0 for line in of(journal, "attempt")), "nothing was continued"
    assert len(values(site.dense, "cancelled")) == 1

    wait_until(lambda: site.api.state(silent) == "Crashed", 60)
    assert site.api.places_taken("study/wine") == 0
    assert site.api.run(again)["name"] == "cancelled"
    name = "cancelled batch 0, trial 0, attempt 2"
    wait_until(lambda: name in site.api.task_names(again), 60)  # the server hears of them as events
    wait_until(lambda: any(each["subject"] == "cancelled: Completed" for each in heard.told), 60)
