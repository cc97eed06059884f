"""Bad input through the real command: one sentence, exit code 2 (3 when held), nothing harmed."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from mlflow import MlflowClient

from conf.loading.load import load_study
from conf.runtime.home import Home
from tasks.study.events import Asked, Suggested
from tasks.study.lock import Holder, lock_study
from tasks.study.writer import OpenStudy
from tests.e2e.command import Command

# Servers' logs, locks, the cache of files' hashes, and MLflow's own database, which is compared by
# content.
ASIDE = ("logs/", "prefect/", "slots/", "mlflow.db", "data/files.json")


def files(home: Path) -> dict[str, str]:
    """Every file of a home to the hash of its bytes."""
    found = (path for path in home.rglob("*") if path.is_file() and path.suffix != ".lock")
    named = ((str(path.relative_to(home)), path) for path in found)
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in named
        if not name.startswith(ASIDE)
    }


def rows(database: Path) -> str:
    """The content of an MLflow database."""
    if not database.exists():
        return ""
    with sqlite3.connect(database) as connection:
        return "\n".join(connection.iterdump())


def refused(dense: Command, *arguments: str, code: int = 2) -> str:
    """The one sentence with which a command is refused, nothing being changed by it."""
    before = files(dense.home), rows(dense.home / "mlflow.db")
    done = dense.run(*arguments)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert len(done.stdout.splitlines()) <= 1, "only what is going on is said before"
    assert (files(dense.home), rows(dense.home / "mlflow.db")) == before
    sentence = done.stderr.strip()
    assert sentence.startswith("dense: ") and "\n" not in sentence, done.stderr
    dense.assert_no_process_left()
    return sentence.removeprefix("dense: ")


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Command]:
    """A command that is refused before it starts anything: at its end no server has a log."""
    command = Command(tmp_path / "home")
    yield command
    assert not (command.home / "logs").exists(), "something was started"
    assert not (command.home / "mlflow.db").exists(), "MLflow was made ready"


SETTINGS = [
    pytest.param("train.lrr=1e-3", "did you mean train.lr?", id="mistyped key"),
    pytest.param("training.lr=1e-3", "training: unknown key", id="unknown section"),
    pytest.param("train.lr=fast", "train.lr: fast is not a number", id="wrong type"),
    pytest.param("train.batch_size=0", "not at least 1", id="outside bounds"),
    pytest.param("search.space.model.dropout.high=2", "model.dropout", id="range refused by field"),
    pytest.param("search.space.train.lr.high=1e-9", "swap them", id="range upside down"),
    pytest.param("search.space.data.name.choices=[digits]", "data.name", id="not to be searched"),
    pytest.param("name=A_b", "A_b is not a name", id="no name"),
    pytest.param("name=../../etc", "is not a name", id="a path for a name"),
    pytest.param("evaluate.objective=recall_macro", "is not computed", id="objective not computed"),
    pytest.param("model={kind: crystal_ball}", "crystal_ball is not a choice", id="unknown kind"),
    pytest.param("train.lr", "write path=value", id="no assignment"),
]


@pytest.mark.parametrize(("override", "said"), SETTINGS)
def test_a_bad_setting_is_refused_before_anything_is_started(
    idle: Command, override: str, said: str
) -> None:
    sentence = refused(idle, "run", "digits", override)
    assert said in sentence
    assert override in sentence, "it says where the setting came from"
    assert not idle.home.exists()


VERBS = ("status", "best", "show", "report", "sync", "stop")
NAMES = [
    pytest.param(("run", "digitz"), "did you mean digits?", id="run mistyped"),
    pytest.param(("run", "Digits"), "name a study or a YAML file", id="run no name"),
    pytest.param(("run", "../digits.yaml"), "there is no file", id="run no file"),
    pytest.param(("check", "digitz"), "did you mean digits?", id="check"),
    pytest.param(("status", "digits"), "no study 'digits' was begun", id="status not begun"),
    *(
        pytest.param(
            (verb, "digits"),
            "no study 'digits' was begun",
            id=f"{verb} not begun",
            marks=pytest.mark.long,
        )
        for verb in VERBS[1:]
    ),
]


@pytest.mark.parametrize(("arguments", "said"), NAMES)
def test_an_unknown_study_is_refused(idle: Command, arguments: Sequence[str], said: str) -> None:
    assert said in refused_anew(idle, *arguments)


def refused_anew(dense: Command, *arguments: str) -> str:
    """As `refused`, in a home that was opened before, as looking for a study opens it."""
    Home.open(dense.home)
    return refused(dense, *arguments)


def test_all_that_is_wrong_with_a_file_is_said_at_once(idle: Command, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("extends: base\ntrain: {lr: fast}\nsearch: {trails: 3}\n")
    done = idle.run("run", str(path))
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert any("wrong.yaml:2" in line and "train.lr" in line for line in lines)
    assert any("wrong.yaml:3" in line and "search.trials" in line for line in lines)
    assert "Traceback" not in done.stderr


def test_a_space_of_one_point_is_refused(idle: Command, tmp_path: Path) -> None:
    path = tmp_path / "point.yaml"
    path.write_text("extends: base\nsearch: {space: {train.batch_size: {choices: [64]}}}\n")
    assert "one configuration only" in refused(idle, "run", str(path))


def below_a_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "home"


def of_the_kernel(folder: Path) -> Path:
    return Path("/proc/dense")


def of_another_format(folder: Path) -> Path:
    (folder / "new").mkdir()
    (folder / "new" / "home.json").write_text(json.dumps({"id": "x", "format": 99}))
    return folder / "new"


@pytest.mark.parametrize("place", [below_a_file, of_the_kernel, of_another_format])
@pytest.mark.parametrize("verb", ["run", pytest.param("status", marks=pytest.mark.long)])
def test_a_home_that_cannot_be_used_is_refused(
    tmp_path: Path, place: Callable[[Path], Path], verb: str
) -> None:
    home = place(tmp_path)
    assert "set DENSE_HOME" in refused(Command(home), verb, "digits")


def begun(dense: Command) -> Path:
    """The folder of the study `digits`, in which one batch of one trial was asked."""
    study = load_study("digits")
    home = Home.open(dense.home)
    with OpenStudy.open(home, study, here(), time.time()) as opened:
        opened.append(first_batch())
        return opened.folder


def here() -> Holder:
    return Holder(os.getpid(), "here", time.time(), None)


def first_batch() -> Asked:
    one = Suggested(number=0, values={"train.lr": 1e-3}, digest="d" * 64, origin="yaml")
    return Asked(batch=0, first=0, suggestions=(one,), time=time.time())


def test_a_study_that_another_drives_is_held(idle: Command) -> None:
    folder = begun(idle)
    with lock_study(folder / "lock", here()):
        sentence = refused(idle, "run", "digits", code=3)
        assert f"held by process {os.getpid()}" in sentence and "dense stop digits" in sentence
        assert "held by" in refused(idle, "sync", "digits", code=3)
        assert "dense stop digits" in refused(idle, "stop", "digits"), "it runs on another host"


def test_another_study_under_the_same_name_is_refused(idle: Command) -> None:
    begun(idle)
    sentence = refused(idle, "run", "digits", "train.lr=2e-3", "seed=7", "search.trials=3")
    assert "train.lr 0.001 -> 0.002" in sentence and "seed 0 -> 7" in sentence
    assert "trials" not in sentence, "what may change was listed"
    assert "name=<new name>" in sentence


ALSO_READ = [pytest.param(verb, marks=pytest.mark.long) for verb in VERBS if verb != "stop"]


@pytest.mark.parametrize("verb", ["run", *ALSO_READ])
def test_a_bad_line_within_the_journal_is_refused_by_file_and_line(
    idle: Command, verb: str
) -> None:
    journal = begun(idle) / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(b'{"event": "asked", "bat' + b"\n" + whole)
    sentence = refused(idle, verb, "digits")
    assert f"{journal}, line 1" in sentence
    assert "restore the line from a copy" in sentence


def test_a_journal_without_its_study_is_refused(idle: Command) -> None:
    (begun(idle) / "study.json").unlink()
    assert "restore it from a copy" in refused(idle, "run", "digits")


def table(folder: Path, labels: Sequence[str]) -> None:
    """A file of distinct rows with these labels."""
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["width", "height", "label"])
        writer.writerows([n, n * n % 17, label] for n, label in enumerate(labels))


DATA = [
    pytest.param([], "data", id="empty"),
    pytest.param(["a"] * 50, "at least two classes", id="one class"),
    pytest.param(["a"] * 50 + ["b"], "too few rows of the classes 'b' (1)", id="too small"),
]


@pytest.mark.parametrize(("labels", "said"), DATA)
def test_data_that_nothing_can_be_trained_on_is_refused(
    idle: Command, tmp_path: Path, labels: Sequence[str], said: str
) -> None:
    Home.open(idle.home)
    table(tmp_path, labels)
    idle.env["DENSE_DATA"] = str(tmp_path)
    study = rows_study(tmp_path)
    before = files(idle.home)
    done = idle.run("check", str(study), "--try")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert files(idle.home) == before


def rows_study(folder: Path) -> Path:
    """A study of `rows.csv`, which lies in the same folder."""
    path = folder / "rows.yaml"
    path.write_text(
        "extends: base\n"
        "data: {source: table, path: rows.csv, label: label}\n"
        "model: {kind: mlp, width: 8}\n"
        "train: {epochs: 1}\n"
        "search: {trials: 2, space: {train.lr: {low: 1e-4, high: 1e-1, scale: log}}}\n"
        "resources: {slots: 2}\n"
        "champion: {enabled: false}\n"
    )
    return path


# From here on the fault is known only after the servers are up, inside the flow.


@pytest.mark.long
def test_a_study_over_bad_data_keeps_its_name_and_runs_once_mended(
    dense: Command, tmp_path: Path
) -> None:
    dense.env["DENSE_DATA"] = str(tmp_path)
    study = str(rows_study(tmp_path))
    table(tmp_path, ["a"] * 50)
    done = dense.run("run", study)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("dense: ") and done.stderr.count("\n") == 1, done.stderr
    assert "at least two classes" in done.stderr
    assert dense.journal("rows") == []
    dense.assert_no_process_left()
    table(tmp_path, ["a", "b", "b"] * 40)
    assert dense.json("run", study, "data.features=[width]")["trials"] == 2


def mlflow_of(dense: Command) -> MlflowClient:
    return MlflowClient(f"sqlite:///{dense.home / 'mlflow.db'}")


def test_an_mlflow_that_does_not_answer_is_refused(dense: Command) -> None:
    dense.env["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    sentence = refused_anew(dense, "run", "digits")
    assert "MLflow at http://127.0.0.1:9 does not answer" in sentence
    assert "unset MLFLOW_TRACKING_URI" in sentence


@pytest.mark.long
def test_a_deleted_experiment_of_that_name_is_refused(dense: Command) -> None:
    client = mlflow_of(dense)
    client.delete_experiment(client.create_experiment("digits"))
    sentence = refused_anew(dense, "run", "digits")
    assert "was deleted" in sentence
    assert "mlflow experiments restore" in sentence and "name=<new name>" in sentence


@pytest.mark.long
def test_a_study_of_that_name_from_another_home_is_refused(dense: Command) -> None:
    client = mlflow_of(dense)
    tags = {"dense.kind": "study", "dense.study": "digits", "dense.home": "elsewhere"}
    client.create_run(client.create_experiment("digits"), tags=tags)
    sentence = refused_anew(dense, "run", "digits")
    assert "from another home (elsewhere)" in sentence and "name=<new name>" in sentence
