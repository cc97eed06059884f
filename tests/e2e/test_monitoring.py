"""Real digits, turned, in a watched folder: alarm, event, and the study that follows, on the
servers that `dense up` keeps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import rotate

from conf.loading.load import load_study
from conf.runtime.home import Home
from tasks.packaging.raw_rows import read_rows
from tasks.prepare import prepare, test_path
from tasks.track import store
from tests.e2e.command import of
from tests.e2e.same import values
from tests.e2e.site import QUICK, Site
from tests.integration.champion.watching import save
from tests.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture
def site(used_home: Path, tmp_path: Path) -> Iterator[Site]:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(used_home / "data", home / "data")
    site = Site.of(home)
    try:
        site.up()
        yield site
    finally:
        site.close()


def ended(site: Site, run: str) -> str:
    """The state that a run ends in."""
    wait_until(lambda: site.api.ended(run), 900)
    return site.api.state(run)


def deployed(site: Site, deployment: str) -> list[str]:
    """The runs of a deployment, the last first."""
    wanted = {"deployments": {"id": {"any_": [site.api.deployment(deployment)["id"]]}}}
    found = site.api.ask("/flow_runs/filter", {**wanted, "sort": "EXPECTED_START_TIME_DESC"})
    return [each["id"] for each in found]


def looked(site: Site) -> str:
    """The state of a look at the folder, asked for as a person does."""
    subprocess.run(
        [sys.executable, "-m", "prefect", "deployment", "run", "monitor/digits-hourly",
         "-p", "path=incoming"],
        env={**os.environ, "PREFECT_API_URL": site.api.url}, check=True, timeout=300,
    )  # fmt: skip
    return ended(site, deployed(site, "monitor/digits-hourly")[0])


def test_turned_digits_start_the_study_that_learns_from_the_last(site: Site) -> None:
    overrides = [*QUICK, "train.lr=3e-3"]
    first = site.api.start("study/digits", parameters={"study": "digits", "overrides": overrides})
    assert ended(site, first) == "Completed", site.api.message(first)
    prepared = prepare(load_study("digits"), Home.open(site.dense.home))
    rows = read_rows(test_path(prepared), prepared.card.inputs)
    some = np.random.default_rng(0).permutation(len(rows.ids))[:200]  # they lie by writer
    images, labels = rows.values[some], rows.targets[some]
    incoming = site.given / "incoming"

    save(incoming, images[:100], labels[:100])
    assert looked(site) == "Completed"
    assert deployed(site, "study/successor") == []

    turned = rotate(images[100:], 45, axes=(1, 2), reshape=False, order=1).clip(0, 16)
    save(incoming, turned, labels[100:], "turned")
    assert looked(site) == "Alarm"
    wait_until(lambda: deployed(site, "study/successor"), 120)
    (follows,) = deployed(site, "study/successor")
    assert ended(site, follows) == "Completed", site.api.message(follows)

    asked = site.api.run(follows)["parameters"]
    name = load_study(asked["study"], asked["overrides"]).name
    assert site.api.run(follows)["name"] == name
    assert name.startswith("digits-2") and len(values(site.dense, name)) == 2
    folder = site.dense.home / "studies" / name
    began = json.loads((folder / "study.json").read_text())
    assert began["search"]["learn_from"] == ["digits"] and began["train"]["lr"] == 3e-3
    known = json.loads((folder / "earlier.json").read_text())["trials"]
    assert [trial["study"] for trial in known] == ["digits"] * 2
    decided = of(site.dense.journal(name), "champion")
    assert decided, "it did not compete for the alias"
    client = store.client(site.mlflow)
    assert [model.name for model in client.search_registered_models()] == ["digits"]
    assert looked(site) == "Skipped"  # nothing is new
    assert site.dense.run("down").stdout == "down\n"
    site.dense.assert_no_process_left()
