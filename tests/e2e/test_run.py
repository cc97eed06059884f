"""The real command extended, twice at once, from an empty home; its champion elsewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest
from mlflow import MlflowClient

from tests.e2e.command import Command, of
from tests.e2e.same import values

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


def test_others_load_the_champion(straight: Command) -> None:
    assert accuracy_elsewhere(straight) > 0.8


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
def test_two_champions_are_compared_on_the_rows_that_no_search_saw(straight: Command) -> None:
    other = straight.run("run", str(straight.study("other", champion=True)), "seed=1")
    assert other.returncode == 0, other.stderr
    said = straight.run("compare", "tiny@champion", "other@champion")
    assert said.returncode == 0, said.stderr
    assert "champion of tiny" in said.stdout and "champion of other" in said.stdout
    assert "test part" in said.stdout and "accuracy" in said.stdout
    page = straight.home / "reports" / "compare-tiny.champion-other.champion.html"
    assert page.is_file()


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
