"""`dense up` with the real servers: deploy, run, look, be killed, and leave nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from conf.runtime.home import Home
from flows.servers import state
from tests.e2e.command import of
from tests.e2e.same import values
from tests.e2e.site import QUICK, Site
from tests.waiting import wait_until


@pytest.fixture
def site(used_home: Path, tmp_path: Path) -> Iterator[Site]:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(used_home / "mlflow.db", home)
    shutil.copytree(used_home / "data", home / "data")
    site = Site.of(home)
    yield site
    site.close()


def deployment_run(site: Site, *arguments: str, of_study: list[str]) -> None:
    """`prefect deployment run` as people give it."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deployment", "run", "study/digits"]
    done = subprocess.run(
        [*command, "-p", f"overrides={json.dumps([*QUICK, *of_study])}", *arguments],
        env={**site.dense.environment(), "PREFECT_API_URL": site.api.url},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


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
def test_a_home_is_served_its_deployments_run_and_nothing_is_left(site: Site) -> None:
    dense = site.dense
    assert site.mlflow in site.up()
    states = dense.run("ps").stdout.splitlines()
    assert [line.split()[:2] for line in states[1:4]] == [
        ["prefect", "well"],
        ["mlflow", "well"],
        ["worker", "well"],
    ]
    assert dense.run("up").stdout.startswith("up already")
    for page in (site.api.url.removesuffix("api"), f"{site.mlflow}/"):
        with urllib.request.urlopen(page, timeout=60) as answer:
            assert b"<html" in answer.read().lower()

    deployment_run(site, "--watch", of_study=["name=deployed"])
    assert len(values(dense, "deployed")) == 2
    assert "deployed" in experiments(site.mlflow)

    deployment_run(site, of_study=["name=ended", "train.epochs=150"])
    wait_until(lambda: dense.epochs("ended") >= 2)
    assert dense.run("down").stdout == "down\n"
    assert of(dense.journal("ended"), "stopped")[-1]["reason"] == "user"
    assert not dense.processes() and not (dense.home / "servers.json").exists()
    assert "deployed" in dense.run("status").stdout  # the home works without its servers

    before = (dense.home / "logs" / "deploy.log").stat().st_mtime_ns
    site.up()
    assert (dense.home / "logs" / "deploy.log").stat().st_mtime_ns == before
    holder = state.holder(Home.open(dense.home))
    assert holder is not None
    psutil.Process(holder.pid).kill()
    wait_until(lambda: not dense.processes(), seconds=60)
