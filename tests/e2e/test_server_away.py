"""A server goes away in the middle of a study: the study goes on, and its record is complete.

The short form of `test_outages.py`, which does the same with every server of a site, for a minute.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from tests.e2e.command import Command, of
from tests.e2e.same import values
from tests.mlflow_server import MlflowServer

TRIALS = 6


@pytest.fixture
def mlflow(dense: Command, tmp_path: Path) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path, f"sqlite:///{dense.home / 'mlflow.db'}")
    server.start()
    dense.env["MLFLOW_TRACKING_URI"] = server.url
    yield server
    server.kill()


def listener(url: str) -> psutil.Process:
    """The process that listens on the port of a URL."""
    port = int(url.split(":")[2].split("/")[0])
    (pid,) = {
        each.pid
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port
    }
    assert pid is not None
    return psutil.Process(pid)


@contextmanager
def suspended(process: psutil.Process) -> Iterator[None]:
    """Suspend a process inside the block."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_mlflow_killed_and_prefect_suspended_during_a_study_leave_its_record_complete(
    dense: Command, prefect_api: str, mlflow: MlflowServer
) -> None:
    study = dense.study(trials=TRIALS, epochs=1)
    run = dense.start("run", str(study))
    dense.until(lambda lines: len(of(lines, "finished")) >= 1)
    mlflow.kill()
    with suspended(listener(prefect_api)):
        mlflow.start()
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, f"{out}\n{err}"
    objectives = values(dense)
    assert sorted(objectives) == list(range(TRIALS))
    attempts = Counter(line["number"] for line in of(dense.journal(), "attempt"))
    assert set(attempts.values()) == {1}, "a trial was disturbed"
    client = MlflowClient(mlflow.url)
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.`dense.kind` = 'trial'")
    recorded = {int(r.data.tags["dense.trial"]): r.data.metrics["objective"] for r in runs}
    assert recorded == objectives
    assert {r.info.status for r in runs} == {"FINISHED"}
