"""The driver itself fails in the middle of a search: nothing is left running, nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from mlflow import MlflowClient

from conf.runtime.home import Home
from tasks.study.lock import holder_of
from tests.e2e.command import Command, of
from tests.e2e.same import values

# The command on a disk that is full from the journal's nth line on.
DISK_FULL = """
import errno, os, sys
from tasks.study.journal import Journal

write, left = Journal._write, [int(sys.argv.pop(1))]

def refuse(journal, line):
    left[0] -= 1
    if left[0] < 0:
        write(journal, line[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    write(journal, line)

Journal._write = refuse

from flows.cli.main import main
main()
"""

# The command with a trial engine whose first attempt raises what no trial can answer for.
ENGINE_BROKEN = """
import sys
from tasks.train.engine.local import LocalEngine

run, left = LocalEngine.run, [int(sys.argv.pop(1))]

def refuse(engine, spec, folder):
    left[0] -= 1
    if left[0] == 0:
        raise RuntimeError("the engine is broken")
    return run(engine, spec, folder)

LocalEngine.run = refuse

from flows.cli.main import main
main()
"""


def run_in(dense: Command, program: str, count: int, *arguments: str) -> tuple[int, str]:
    """Exit code and stderr of `dense ARGUMENTS` with something replaced in its process."""
    done = subprocess.run(
        [sys.executable, "-c", program, str(count), *arguments],
        env=dense.environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stderr


def statuses(dense: Command) -> dict[str, str]:
    """Status of every run in MLflow, by its name."""
    client = MlflowClient(f"sqlite:///{dense.home / 'mlflow.db'}")
    found = client.get_experiment_by_name("tiny")
    assert found is not None
    runs = client.search_runs([found.experiment_id])
    return {run.data.tags["mlflow.runName"]: run.info.status for run in runs}


def assert_given_back(dense: Command) -> None:
    """No process is left, the study can be taken, and no run pretends to be running."""
    dense.assert_no_process_left()
    assert holder_of(Home.open(dense.home).study("tiny") / "lock") is None
    said = statuses(dense)
    assert said["tiny"] == "KILLED"
    assert "RUNNING" not in said.values(), said


def assert_continued(dense: Command, study: str, asked: list[dict[str, Any]]) -> None:
    """The next run goes on from what was asked, and ends with all that was wanted."""
    found = dense.json("run", study)
    assert found["outcomes"]["complete"] == 4
    assert sorted(values(dense)) == [0, 1, 2, 3]
    assert of(dense.journal(), "asked")[: len(asked)] == asked
    assert set(statuses(dense).values()) == {"FINISHED"}


@pytest.mark.long
def test_a_driver_on_a_full_disk_gives_everything_back_and_is_continued(dense: Command) -> None:
    study = str(dense.study(epochs=2, trials=4))
    code, err = run_in(dense, DISK_FULL, 4, "run", study)
    assert code == 1
    sentence = err.strip().splitlines()[-1]
    assert sentence.startswith("dense: ") and "journal.jsonl cannot be written" in sentence
    assert "free some space and run again" in sentence and "Traceback" not in err
    assert_given_back(dense)
    assert_continued(dense, study, of(dense.journal(), "asked"))


@pytest.mark.long
def test_a_driver_whose_engine_breaks_gives_everything_back_and_is_continued(
    dense: Command,
) -> None:
    study = str(dense.study(epochs=2, trials=4))
    code, err = run_in(dense, ENGINE_BROKEN, 2, "run", study)
    assert code == 1
    assert "could not be run: the engine is broken" in err and "Traceback" not in err
    assert_given_back(dense)
    assert_continued(dense, study, of(dense.journal(), "asked"))
