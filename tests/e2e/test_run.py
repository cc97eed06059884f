"""The real command from nothing to a champion, continued, extended, and stopped."""

from __future__ import annotations

import subprocess
import sys

import pytest
from mlflow import MlflowClient

from tests.e2e.command import Command, of
from tests.e2e.same import metrics, values

CONSUMER = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"conf", "data", "flows", "models", "tasks"}:
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
import mlflow, sklearn.datasets

mlflow.set_tracking_uri(sys.argv[1])
digits = sklearn.datasets.load_digits()
model = mlflow.pyfunc.load_model("models:/tiny@champion")
found = model.predict(digits.images[:200])
print(float((found["label"].to_numpy().astype(int) == digits.target[:200]).mean()))
"""


def test_runs_to_a_champion_that_others_load_and_then_has_nothing_to_do(dense: Command) -> None:
    study = str(dense.study(epochs=4, champion=True))
    first = dense.json("run", study)
    assert first["study"] == "tiny"
    assert first["trials"] == 4
    assert first["outcomes"] == {"complete": 4, "stopped": 0, "paused": 0, "failed": 0}
    assert 0.2 < first["best"]["objective"]["accuracy"]["value"] <= 1.0
    assert first["champion"]["version"] == "1"
    test = first["champion"]["test"]["accuracy"]
    assert test["low"] <= test["value"]
    assert sorted(metrics(dense)) == ["0", "1", "2", "3"]
    assert accuracy_elsewhere(dense) > 0.8
    journal = dense.journal()
    again = dense.json("run", study)
    assert again["champion"] == first["champion"]
    assert dense.journal() == journal, "a finished study was changed"
    dense.assert_no_process_left()


def accuracy_elsewhere(dense: Command) -> float:
    """What the champion scores in a process where this project cannot be imported."""
    uri = f"sqlite:///{dense.home / 'mlflow.db'}"
    version = MlflowClient(uri).get_model_version_by_alias("tiny", "champion")
    assert version.tags["dense.study"] == "tiny"
    done = subprocess.run(
        [sys.executable, "-c", CONSUMER, uri],
        capture_output=True,
        text=True,
        cwd=dense.home,
        env=dense.environment() | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout.splitlines()[-1])


@pytest.mark.long
def test_a_search_without_a_champion_ends_and_more_raises_its_target(dense: Command) -> None:
    study = str(dense.study(trials=2, epochs=1))
    said = dense.run("run", study)
    assert said.returncode == 0, said.stderr
    assert "none is wanted; champion.enabled=true crowns one" in said.stdout
    assert not of(dense.journal(), "champion")
    before = values(dense)
    more = dense.json("run", study, "--more", "2")
    assert more["trials"] == 4 and more["champion"] is None
    assert {number: values(dense)[number] for number in before} == before
    assert [line["trials"] for line in of(dense.journal(), "target")] == [4]


@pytest.mark.long
def test_of_two_commands_in_the_same_second_one_runs(dense: Command) -> None:
    study = str(dense.study(trials=2))
    both = [dense.start("run", study) for _ in range(2)]
    for process in both:
        process.communicate(timeout=400)
    assert sorted(process.returncode for process in both) == [0, 3]
    assert len(values(dense)) == 2


@pytest.mark.long
def test_the_default_study_from_an_empty_home(dense: Command) -> None:
    dense.env.pop("PREFECT_API_URL")
    found = dense.json("run", "digits")
    assert found["champion"]["test"]["accuracy"]["value"] >= 0.97
    dense.assert_no_process_left()
