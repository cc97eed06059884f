"""A home made by version 0.1 stays readable and goes on: looked at, continued, served, imported."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import sklearn.datasets

from tests.e2e.command import Command, of
from tests.old_home import restore


@pytest.fixture(scope="module")
def old(prefect_api: str, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command with a home that version 0.1 made."""
    home = restore(tmp_path_factory.mktemp("old"))
    return Command(home, {"PREFECT_API_URL": prefect_api})


@pytest.fixture(scope="module")
def expected(old: Command) -> dict[str, dict[str, list[float]]]:
    """What the champions predicted when they were registered."""
    predictions: dict[str, dict[str, list[float]]] = json.loads(
        (old.home.parent / "expected.json").read_text()
    )
    return predictions


def test_its_studies_are_shown(old: Command) -> None:
    done = old.run("status")
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("small", "forest", "killed"))
    board = old.run("show", "small")
    assert board.returncode == 0 and "0.8830" in board.stdout
    trial = old.run("show", "forest", "2")
    assert trial.returncode == 0 and "0.3527" in trial.stdout


def test_a_page_is_built_from_its_record(old: Command) -> None:
    done = old.run("report", "small")
    assert done.returncode == 0, done.stderr
    assert "0.8663" in (old.home / "reports" / "small.html").read_text()


@pytest.mark.parametrize("model", ["small", "forest"])
def test_mlflow_loads_its_champions_and_they_predict_the_same(
    old: Command,
    expected: dict[str, dict[str, list[float]]],
    model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{old.home / 'mlflow.db'}")
    rows = {
        "small": sklearn.datasets.load_digits().images[:40],
        "forest": sklearn.datasets.load_wine().data[::9],
    }
    predictions = mlflow.pyfunc.load_model(f"models:/{model}@champion").predict(rows[model])
    for name, values in expected[model].items():
        if name.startswith("p_"):
            np.testing.assert_allclose(predictions[name], values, atol=1e-4)
        else:
            assert list(predictions[name]) == values


def test_its_champion_answers_the_rows_of_a_file(
    old: Command, expected: dict[str, dict[str, list[float]]], tmp_path: Path
) -> None:
    rows = tmp_path / "wine.csv"
    sklearn.datasets.load_wine(as_frame=True).data[::9].to_csv(rows, index=False)
    done = old.run("predict", "forest", str(rows), "--out", str(tmp_path / "answers.csv"))
    assert done.returncode == 0, done.stderr
    answers = pd.read_csv(tmp_path / "answers.csv")
    assert list(answers["label"]) == expected["forest"]["label"]


def test_a_finished_study_has_nothing_left_to_do(old: Command) -> None:
    before = old.journal("forest")
    done = old.run("run", "wine-forest", "name=forest", "search.trials=4")
    assert done.returncode == 0, done.stderr
    trials = [line["event"] for line in old.journal("forest")[len(before) :]]
    assert "asked" not in trials and "attempt" not in trials


def test_its_archive_is_imported_elsewhere(old: Command, tmp_path: Path) -> None:
    other = Command(tmp_path / "home", old.env)
    done = other.run("import", str(old.home.parent / "small.tar"))
    assert done.returncode == 0, done.stderr
    assert "0.8830" in other.run("show", "small").stdout


def test_a_killed_study_goes_on_with_the_numbers_it_has(old: Command, tmp_path: Path) -> None:
    before = old.journal("killed")
    path = tmp_path / "killed.yaml"
    path.write_text(KILLED)
    result = old.json("run", str(path))
    assert result["trials"] == 8 and result["outcomes"]["failed"] == 0
    after = old.journal("killed")
    assert after[: len(before)] == before
    numbers = [each["number"] for line in of(after, "asked") for each in line["suggestions"]]
    assert numbers == list(range(8))


def test_a_trial_is_replayed(old: Command) -> None:
    done = old.run("replay", "small", "1")
    assert done.returncode in (0, 1), done.stderr  # other processors round other bits
    assert "trial 1" in done.stdout and "Traceback" not in done.stderr


KILLED = """\
extends: base
name: killed
data: {source: builtin, name: digits, task: classification}
model: {kind: cnn, width: 8, dropout: 0.1}
train: {epochs: 4, batch_size: 128, lr: 3e-3}
search:
  trials: 8
  synchronous: true
  batch_size: 4
  rungs: {first: 1, factor: 2}
  space:
    train.lr: {low: 1e-6, high: 1e-1, scale: log}
    model.width: {low: 4, high: 12, type: int}
resources: {slots: 2, threads: 1, trial_seconds: 120}
champion: {enabled: false}
"""
