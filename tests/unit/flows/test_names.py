"""What Prefect's pages call the runs of the flows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from prefect.client.schemas.actions import ArtifactCreate

from flows.deployments import evaluate
from flows.study import flow as study


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        pytest.param({"study": "digits", "overrides": []}, "digits", id="study"),
        pytest.param({"study": "digits"}, "digits", id="no-overrides"),
        pytest.param({"study": "a/mine.yaml", "overrides": ["train.lr=1"]}, "mine", id="file"),
        pytest.param({"study": "digits", "overrides": ["name=a", "name=wide"]}, "wide", id="named"),
        pytest.param({"study": "digits", "overrides": ['name="wide"']}, "wide", id="quoted"),
        pytest.param({"study": "digits", "overrides": ["name=" + "x" * 999]}, "x" * 80, id="long"),
    ],
)
def test_a_run_is_called_as_its_study_is(
    monkeypatch: pytest.MonkeyPatch, parameters: dict[str, Any], name: str
) -> None:
    monkeypatch.setattr(study, "flow_run", SimpleNamespace(parameters=parameters))
    assert study.run_name() == name


def test_an_evaluation_is_called_after_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {"study": "digits", "files": ["june.csv"]}
    monkeypatch.setattr(evaluate, "flow_run", SimpleNamespace(parameters=parameters))
    assert evaluate.run_name() == "digits on june.csv"
    parameters["files"] = ["june.csv", "july.csv"]
    assert evaluate.run_name() == "digits on 2 files"
    parameters["files"] = ["x" * 4_000]
    assert len(evaluate.run_name()) == 200


@pytest.mark.parametrize(
    ("study", "key"), [("digits", "digits-evaluation"), ("My_Model 2", "my-model-2-evaluation")]
)
def test_a_table_is_called_as_prefect_wants_it(study: str, key: str) -> None:
    assert evaluate.artifact_key(study) == key
    ArtifactCreate(key=key)
