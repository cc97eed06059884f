"""A real Prefect server, pool and process worker: deploy, run, cancel, continue."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conf.home import Home
from flows.server import PrefectServer
from tests.e2e.command import Command, of
from tests.e2e.same import values

ROOT = Path(__file__).parents[2]
QUICK = ["search.trials=2", "train.epochs=1", "model.width=16", "resources.slots=2"]


class Site:
    """A home with a Prefect server of its own, a pool, and a worker."""

    def __init__(self, home: Path) -> None:
        self.dense = Command(home)
        self.server = PrefectServer(Home.open(home), full=True)
        self.dense.env["PREFECT_API_URL"] = self.server.wait()
        self.dense.env["PREFECT_HOME"] = str(home / "prefect")
        self.dense.env["PREFECT_WORKER_QUERY_SECONDS"] = "2"
        self.worker: subprocess.Popen[str] | None = None

    def prefect(self, *arguments: str, code: int = 0, seconds: float = 500) -> str:
        """Run `prefect ARGUMENTS` in the project's folder."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            env=self.dense.environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == code, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

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

    def state(self, run: str) -> str:
        """Name of a flow run's state."""
        found = json.loads(self.prefect("flow-run", "inspect", run, "--output", "json"))
        return str(found["state"]["name"])

    def close(self) -> None:
        """End the worker, the server and whatever they started."""
        if self.worker is not None:
            self.worker.terminate()
            try:
                self.worker.wait(30)
            except subprocess.TimeoutExpired:
                self.worker.kill()
        self.server.close()
        for process in self.dense.processes():
            process.kill()


@pytest.fixture(scope="module")
def site(used_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site") / "home"
    home.mkdir()
    shutil.copy(used_home / "mlflow.db", home)
    shutil.copytree(used_home / "data", home / "data")
    site = Site(home)
    try:
        site.prefect("work-pool", "create", "--type", "process", "dense")
        site.prefect("deploy", "--all")
        site.start_worker()
        yield site
    finally:
        site.close()


def overrides(*more: str) -> str:
    return f"overrides={json.dumps([*QUICK, *more])}"


@pytest.mark.timeout(1200)
def test_a_deployment_runs_a_study_and_a_cancelled_one_continues(site: Site) -> None:
    long = overrides("name=cancelled", "train.epochs=150")
    answer = site.prefect("deployment", "run", "study/digits", "-p", long)
    run = next(line.split()[-1] for line in answer.splitlines() if "UUID" in line)
    wait_until(lambda: epochs(site.dense, "cancelled") >= 2)
    site.prefect("flow-run", "cancel", run)
    site.dense.until(lambda lines: bool(of(lines, "stopped")), "cancelled", seconds=120)
    assert of(site.dense.journal("cancelled"), "stopped")[-1]["reason"] == "user"
    wait_until(lambda: site.state(run) == "Cancelled")
    wait_until(lambda: not site.dense.trials())
    asked = of(site.dense.journal("cancelled"), "asked")

    site.prefect("deployment", "run", "study/digits", "-p", long, "--watch", seconds=600)
    journal = site.dense.journal("cancelled")
    assert of(journal, "asked") == asked, "what was asked was asked again"
    assert any(line["epoch"] > 0 for line in of(journal, "attempt")), "nothing was continued"
    assert len(values(site.dense, "cancelled")) == 2
    assert of(journal, "champion")


def epochs(dense: Command, name: str) -> int:
    """Epochs that the trials of a study have finished together."""
    files = (dense.home / "trials" / name).glob("*/metrics.jsonl")
    return sum(path.read_bytes().count(b"\n") for path in files)


def wait_until(reached: Any, seconds: float = 300) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "not reached in time"
        time.sleep(0.2)
