"""Trials that fail, files that are damaged, and the commands that look: one small study of four.

Of its grid, trial 0 comes through although its checkpoint is rubbish; of the others one diverges,
one takes too long, and one finds a file where its checkpoints are to be.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Experiment

from conf.loading.digests import trial_digest
from conf.loading.load import load_study
from conf.loading.trial_values import apply_values, values_of
from conf.runtime.home import Home
from tests.e2e.command import Command, of

SLOW, DIVERGING = 5_000, 10.0
STUDY = """\
extends: base
name: faulty
augment: {rotate: null}
model: {kind: cnn, width: 4}
train: {epochs: 1, batch_size: 128, optimizer: sgd, lr: 0.01, weight_decay: 1.0}
search:
  strategy: grid
  trials: 4
  batch_size: 4
  space:
    train.lr: {choices: [0.01, 10.0]}
    train.epochs: {choices: [1, 5000]}
resources: {slots: 2, trial_seconds: 10}
"""


@dataclass(frozen=True)
class Ran:
    """The study after its run, with the number of each trial by what became of it."""

    dense: Command
    path: Path
    said: CompletedProcess[str]
    nan: int
    slow: int
    broken: int
    folders: dict[int, Path]


def asked_first(path: Path) -> dict[int, dict[str, Any]]:
    """What the study asks in its first batch: a function of its file alone."""
    from tasks.suggest.problem import Problem
    from tasks.suggest.propose import propose

    study = load_study(str(path), allow_path=True)
    problem = Problem.of(
        study.model_dump(mode="json")["search"]["space"],
        first=0,
        direction=study.evaluate.direction,
        seed=study.seed,
        start=values_of(study, study.trial_config),
    )
    proposal = propose(problem, 4, strategy=study.search.strategy)
    return {each.number: dict(each.values) for each in proposal.suggestions}


@pytest.fixture(scope="module")
def ran(used_home: Path, prefect_api: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    home = tmp_path_factory.mktemp("faulty") / "home"
    home.mkdir()
    shutil.copy(used_home / "mlflow.db", home)
    shutil.copytree(used_home / "data", home / "data")
    dense = Command(home, {"PREFECT_API_URL": prefect_api})
    path = home.parent / "faulty.yaml"
    path.write_text(STUDY)
    values = asked_first(path)
    study = load_study(str(path), allow_path=True)
    folders = {
        number: Home.open(home).trial(
            "faulty", number, trial_digest(apply_values(study.trial_config, given))
        )
        for number, given in values.items()
    }

    def number(lr: float, epochs: int) -> int:
        wanted = {"train.lr": lr, "train.epochs": epochs}
        return next(number for number, given in values.items() if given == wanted)

    broken = number(DIVERGING, SLOW)
    folders[broken].mkdir(parents=True)
    (folders[broken] / "checkpoints").write_text("not a folder")
    (folders[0] / "checkpoints").mkdir(parents=True)
    (folders[0] / "checkpoints" / "000001.ckpt").write_bytes(b"rubbish")
    said = dense.run("run", str(path), "--json")
    yield Ran(dense, path, said, number(DIVERGING, 1), number(0.01, SLOW), broken, folders)
    for process in dense.processes():
        process.kill()


def test_the_study_reaches_its_champion_over_trials_that_fail(ran: Ran) -> None:
    assert ran.said.returncode == 0, ran.said.stderr
    found = json.loads(ran.said.stdout.splitlines()[-1])
    assert found["outcomes"] == {"complete": 1, "stopped": 0, "paused": 0, "failed": 3}
    assert found["best"]["trial"] == 0 and found["champion"]["version"] == "1"
    causes = {
        line["number"]: line["cause"]
        for line in of(ran.dense.journal("faulty"), "finished")
        if line["outcome"] == "failed"
    }
    assert causes == {ran.nan: "nan", ran.slow: "timeout", ran.broken: "error"}
    attempts = of(ran.dense.journal("faulty"), "attempt")
    assert len(attempts) == 4, "what fails by itself was tried again"
    assert ran.said.stderr.count("Traceback") == 0
    ran.dense.assert_no_process_left()


def test_a_failed_trial_is_a_failed_task_with_its_cause(ran: Ran, prefect_api: str) -> None:
    sessions = ran.dense.home / "studies" / "faulty" / "sessions.jsonl"
    flow_run = json.loads(sessions.read_text().splitlines()[0])["flow_run"]
    tasks = {
        re.sub(r"batch \d+, ", "", run["name"]): run["state"]
        for run in post(prefect_api, "task_runs", flow_runs={"id": {"any_": [flow_run]}})
    }
    begins = {ran.nan: "nan: ", ran.slow: "timeout: ", ran.broken: "FileExistsError: "}
    for number, beginning in begins.items():
        state = tasks[f"faulty trial {number}"]
        assert state["type"] == "FAILED"
        assert state["message"].startswith(beginning), state["message"]
    assert tasks["faulty trial 0"]["type"] == "COMPLETED"
    assert tasks["evaluate faulty trial 0"]["type"] == "COMPLETED"
    (flow,) = post(prefect_api, "flow_runs", flow_runs={"id": {"any_": [flow_run]}})
    assert flow["state"]["type"] == "COMPLETED"


def post(api: str, kind: str, **filters: Any) -> list[dict[str, Any]]:
    """Runs that Prefect knows."""
    request = urllib.request.Request(
        f"{api}/{kind}/filter",
        data=json.dumps(filters).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


def test_a_failed_trial_is_a_failed_run_with_its_cause(ran: Ran) -> None:
    told = {
        run["tags"]["dense.trial"]: run
        for run in record(ran.dense).values()
        if run["tags"].get("dense.kind") == "trial"
    }
    assert told["0"]["status"] == "FINISHED" and "dense.cause" not in told["0"]["tags"]
    for number, cause in ((ran.nan, "nan"), (ran.slow, "timeout"), (ran.broken, "error")):
        run = told[str(number)]
        assert run["status"] == "FAILED"
        assert run["tags"]["dense.outcome"] == "failed"
        assert run["tags"]["dense.cause"] == cause
        assert run["tags"]["mlflow.note.content"], "why is not said"


def test_a_checkpoint_that_does_not_load_is_mended_and_said(ran: Ran) -> None:
    why = "checkpoint 000001.ckpt does not load"
    assert f"mended: trial 0: {why}" in ran.said.stderr
    (line,) = [e for e in of(ran.dense.journal("faulty"), "finished") if e["number"] == 0]
    assert line["outcome"] == "complete" and why in line["message"]
    assert why in ran.dense.run("show", "faulty", "0").stdout
    notes = [run["tags"].get("mlflow.note.content", "") for run in record(ran.dense).values()]
    assert any(why in note for note in notes)


def test_the_commands_that_look_tell_of_an_ended_study(ran: Ran, tmp_path: Path) -> None:
    def said(*arguments: str, code: int = 0) -> str:
        done = ran.dense.run(*arguments)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    before = ran.dense.journal("faulty")
    assert "4/4 trials, 3 failed" in said("status", "faulty")
    assert said("status") == said("status", "faulty")
    board = said("show", "faulty")
    assert all(f"failed: {cause}" in board for cause in ("nan", "timeout", "error"))
    assert "(trial" not in said("show", "faulty", "0") and "accuracy" in said("best", "faulty")
    assert "timeout: ended after 10 s" in said("show", "faulty", str(ran.slow))
    assert "has no trial 9; it has 4" in said("show", "faulty", "9", code=2)
    assert "nobody runs the study" in said("stop", "faulty", code=2)
    page = Path(said("report", "faulty").strip())
    assert "faulty" in page.read_text() and page == Home.open(ran.dense.home).report("faulty")
    assert ran.dense.journal("faulty") == before, "looking changed the study"
    follow = tmp_path / "next.yaml"
    follow.write_text(said("best", "faulty", "--yaml"))
    found = load_study(str(follow), allow_path=True)
    assert found.name == "faulty-next" and found.train.lr == 0.01
    assert "faulty-next" in said("check", str(follow))


def record(dense: Command, name: str = "faulty") -> dict[str, dict[str, Any]]:
    """All that MLflow says of a study: its runs by name, and its versions by `v` and number."""
    client = MlflowClient(f"sqlite:///{copied(dense.home / 'mlflow.db')}")
    found = client.get_experiment_by_name(name)
    assert found is not None
    runs = client.search_runs([found.experiment_id])
    names = {run.info.run_id: run.data.tags["mlflow.runName"] for run in runs}
    assert len(set(names.values())) == len(runs), "a run is there twice"
    told: dict[str, dict[str, Any]] = {
        names[run.info.run_id]: {
            "status": run.info.status,
            "times": (run.info.start_time, run.info.end_time),
            "tags": {key: told_apart(value, names, found) for key, value in run.data.tags.items()},
            "params": run.data.params,
            "metrics": {
                key: sorted(
                    (point.step, repr(point.value), point.timestamp)
                    for point in client.get_metric_history(run.info.run_id, key)
                )
                for key in run.data.metrics
            },
            "artifacts": sorted(each.path for each in client.list_artifacts(run.info.run_id)),
        }
        for run in runs
    }
    for version in client.search_model_versions(f"name = '{name}'"):
        told[f"v{version.version}"] = {
            "aliases": sorted(client.get_model_version(name, version.version).aliases),
            "tags": version.tags,
            "text": version.description,
            "run": names[version.run_id],
        }
    return told


def told_apart(text: str, names: dict[str, str], experiment: Experiment) -> str:
    """A tag without the identities that another database gives: a run's is its name instead."""
    for identity, name in names.items():
        text = text.replace(identity, name)
    return text.replace(f"experiments/{experiment.experiment_id}", "experiments/")


def copied(database: Path) -> Path:
    """A copy under a name of its own: MLflow keeps a file that was deleted open."""
    copy = database.with_name(f"copy-{uuid.uuid4().hex}.db")
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def assert_record(dense: Command, before: dict[str, dict[str, Any]]) -> None:
    """MLflow says of every run and version what it said before."""
    now = record(dense)
    assert sorted(now) == sorted(before)
    for name, told in before.items():
        for kind, said in told.items():
            assert now[name][kind] == said, f"{kind} of {name}"


@pytest.mark.long
def test_a_deleted_record_is_made_again_with_its_champion(ran: Ran) -> None:
    before = record(ran.dense)
    assert "champion" in before["v1"]["aliases"]
    journal = ran.dense.journal("faulty")
    for path in ran.dense.home.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(ran.dense.home / "artifacts")
    done = ran.dense.run("sync", "faulty")
    assert done.returncode == 0, done.stderr
    assert "4 trials and 1 version" in done.stdout
    assert_record(ran.dense, before)
    again = ran.dense.run("sync", "faulty")
    assert again.returncode == 0, again.stderr
    assert_record(ran.dense, before)
    assert ran.dense.journal("faulty") == journal


@pytest.mark.long
def test_a_torn_last_line_is_cut_and_said(ran: Ran) -> None:
    journal = ran.dense.home / "studies" / "faulty" / "journal.jsonl"
    whole, champion = journal.read_bytes(), record(ran.dense)["v1"]
    journal.write_bytes(whole + b'{"event": "asked", "ba')
    done = ran.dense.run("run", str(ran.path))
    assert done.returncode == 0, done.stderr
    assert "mended: the journal ended in the middle of a line; 22 bytes were cut" in done.stdout
    assert journal.read_bytes().startswith(whole)
    assert {line["event"] for line in ran.dense.journal("faulty")[whole.count(b"\n") :]} <= {
        "champion"
    }, "a finished study was gone on with"
    assert record(ran.dense)["v1"] == champion


def test_a_study_in_which_every_trial_fails_ends_with_the_first_cause(dense: Command) -> None:
    study = str(dense.study("lost", epochs=1, trials=2))
    space = "search.space={train.lr: {low: 9, high: 10, scale: linear}}"
    bad = ("train.optimizer=sgd", "train.lr=10", "train.weight_decay=10", space)
    done = dense.run("run", study, *bad)
    assert done.returncode == 1, done.stdout + done.stderr
    sentence = done.stderr.splitlines()[-1]
    assert "every trial failed, the first (trial 0): nan: " in sentence
    assert "Traceback" not in done.stderr
    dense.assert_no_process_left()


@pytest.mark.long
def test_a_running_study_is_looked_at_and_stopped(dense: Command) -> None:
    process = dense.start("run", str(dense.study(epochs=400, trials=2)))
    dense.until(lambda lines: len(of(lines, "attempt")) == 2)
    assert "running: process" in dense.run("status", "tiny").stdout
    assert "tiny trial 0" in dense.run("show", "tiny", "0").stdout
    for arguments, code in ((("show",), 0), (("report",), 0), (("best",), 1)):
        done = dense.run(*arguments, "tiny")
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
    refused = dense.run("sync", "tiny")
    assert refused.returncode == 3 and "held by process" in refused.stderr
    stopped = dense.run("stop", "tiny")
    assert stopped.returncode == 0 and f"process {process.pid}" in stopped.stdout
    _out, err = process.communicate(timeout=90)
    assert process.returncode == 130, err
    assert "stopped by the user" in dense.run("status", "tiny").stdout
    dense.assert_no_process_left()
