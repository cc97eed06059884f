"""A real Prefect server, pool and process worker: deploy, run, cancel, continue, fall silent."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from conf.runtime.home import Home
from flows.servers.prefect import PrefectServer
from tests.e2e.command import Command, of, runs
from tests.e2e.prefect_api import Api
from tests.e2e.same import values
from tests.e2e.site import processes_of
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
from flows.servers import deploy
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


def cancelled(site: Site, run: str) -> float:
    """Cancel a run as a person does at a terminal; the seconds until nothing of it is left."""
    begun = time.monotonic()
    site.python("-m", "prefect", "flow-run", "cancel", run)
    wait_until(lambda: site.api.state(run) == "Cancelled")
    wait_until(lambda: not processes_of(site.dense, run))
    return time.monotonic() - begun


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


MUCH = "x" * 5_000
NO_STUDIES = ["../digits", "/etc/passwd", "digits; touch x", "digits\0", "d\u0456gits", MUCH, ""]
REFUSED = [
    *(("study/digits", {"study": name}) for name in NO_STUDIES),
    ("study/digits", {"more": -1}),
    ("study/digits", {"more": "many"}),
    ("study/digits", {"overrides": "train.lr=1"}),
    ("study/digits", {"overrides": [5]}),
    ("study/digits", {"overrides": ["train.lr=1"] * 1_001}),
    ("study/successor", {"study": "../digits"}),
    ("evaluate/evaluate", {"files": []}),
    ("evaluate/evaluate", {"study": MUCH, "files": ["june.csv"]}),
    ("monitor/digits-hourly", {"study": ["digits"]}),
    ("monitor/digits-hourly", {"path": MUCH}),
]


def test_what_a_form_would_not_take_makes_no_run(site: Site) -> None:
    for deployment, parameters in REFUSED:
        path = f"/deployments/{site.api.deployment(deployment)['id']}/create_flow_run"
        answer = httpx.post(f"{site.api.url}{path}", json={"parameters": parameters}, timeout=60)
        assert answer.status_code in (409, 422), (parameters, answer.text)


def trains_the_champion(site: Site, name: str) -> bool:
    files = (site.dense.home / "trials" / name).glob("champion-*/metrics.jsonl")
    return any(path.read_bytes().count(b"\n") >= 5 for path in files)


def scores_the_champion(site: Site, name: str) -> bool:
    return any(runs(each, "tasks.scoring.test_score") for each in site.dense.processes())


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("name", "epochs", "reached"),
    [
        pytest.param("training", 60, trains_the_champion, id="training"),
        pytest.param("scoring", 2, scores_the_champion, id="scoring"),
    ],
)
def test_a_run_cancelled_at_its_champion_is_continued_and_does_nothing_twice(
    site: Site, name: str, epochs: int, reached: Callable[[Site, str], bool]
) -> None:
    overrides = [f"name={name}", "search.trials=1", f"train.epochs={epochs}", "model.width=16"]
    parameters = {"study": "digits", "overrides": overrides}
    run = site.api.start("study/digits", parameters=parameters)
    wait_until(lambda: reached(site, name))
    assert cancelled(site, run) < 60  # seconds, on a machine that is not busy
    journal = site.dense.journal(name)
    assert "scored" not in [line["step"] for line in of(journal, "champion")]

    again = site.api.start("study/digits", parameters=parameters)
    wait_until(lambda: site.api.ended(again), 600)
    assert site.api.state(again) == "Completed", site.api.message(again)
    journal = site.dense.journal(name)
    assert len(of(journal, "attempt")) == 1, "the trial was run again"
    steps = [line["step"] for line in of(journal, "champion")]
    assert steps == ["decided", "trained", "scored", "judged", "crowned"]
    (folder,) = (site.dense.home / "trials" / name).glob("champion-*")
    kept = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    assert [line["epoch"] for line in kept] == list(range(1, len(kept) + 1))
    assert {line["attempt"] for line in kept} == ({1, 2} if name == "training" else {1})


OUTSIDE = "/etc/passwd is outside the folders that studies may read"
TABLE = "data={source: table, path: /etc/passwd, label: x}"
HOSTILE = [
    ("study/digits", {"overrides": ["name=../../up"]}, "'../../up' is not a name"),
    ("study/wine", {"overrides": ["name=$(touch x)"]}, "is not a name"),
    ("study/mnist", {"overrides": ["name=d\u0456gits"]}, "is not a name"),
    ("study/tweets", {"overrides": ["name=a\0b"]}, "special characters are not allowed"),
    ("study/pronounce", {"overrides": [f"name={MUCH}"]}, "is not a name"),
    ("study/diabetes", {"overrides": [f"{MUCH}=1"]}, "unknown key"),
    ("study/digits", {"overrides": ["train.lrr=1"]}, "did you mean train.lr?"),
    ("study/wine", {"overrides": ["search.trials=-4"]}, "is not at least 1"),
    ("study/mnist", {"overrides": ["extends=/etc/passwd"]}, "extends belongs in the file"),
    ("study/successor", {"overrides": ["search.learn_from=[../up]"]}, "is not a name"),
    ("study/wine", {"overrides": [TABLE]}, f"data.path: {OUTSIDE}"),
    ("evaluate/evaluate", {"study": "../up", "files": ["june.csv"]}, "no registered model '../up'"),
    ("evaluate/evaluate", {"study": "digits", "files": ["/etc/passwd"]}, f"files: {OUTSIDE}"),
    ("evaluate/evaluate", {"study": "digits", "files": ["a\0b"]}, "can be no file's path"),
    ("evaluate/evaluate", {"study": "{0}", "files": [MUCH[:3_000]]}, "can be no file's path"),
    ("monitor/digits-hourly", {"path": "/etc/passwd"}, f"path: {OUTSIDE}"),
]


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_what_a_form_takes_and_nobody_should_give_is_a_failed_run_with_a_sentence(
    site: Site,
) -> None:
    home = site.dense.home
    (home / "sources").mkdir()
    (home / "sources" / "june.csv").write_text("x,label\n1,a\n")
    before = files_beside(home)
    begun = [site.api.start(name, parameters=given) for name, given, _ in HOSTILE]
    for run, (_, given, said) in zip(begun, HOSTILE, strict=True):
        wait_until(lambda run=run: site.api.ended(run), 600)
        message = site.api.message(run)
        assert site.api.state(run) == "Failed" and said in message, (given, message)
        assert "\n" not in message and len(message) < 700, (given, message)
        assert len(site.api.run(run)["name"]) <= 240
    assert files_beside(home) == before
    assert site.worker is not None and site.worker.poll() is None


def files_beside(home: Path) -> set[Path]:
    """What lies where the home lies, and where the runs' working folders are."""
    return {path for path in home.parent.rglob("*") if not path.is_relative_to(home)}


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
