"""The deployments: every shipped study has one, and its form is one that people can fill in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint
from prefect.logging.configuration import DEFAULT_LOGGING_SETTINGS_PATH, load_logging_config
from prefect.utilities.callables import parameter_schema

from conf.loading.load import SHIPPED, load_study, study_names
from flows.deployments.evaluate import evaluate
from flows.deployments.monitor import monitor
from flows.servers.bootstrap import HEARTBEAT, offer_studies
from flows.study.flow import study

FILE = yaml.safe_load((Path(__file__).parents[3] / "prefect.yaml").read_text())
DEPLOYMENTS: dict[str, dict[str, Any]] = {each["name"]: each for each in FILE["deployments"]}


def test_every_shipped_study_has_a_deployment_and_nothing_else_names_one() -> None:
    shipped = {path.stem for path in (SHIPPED / "studies").glob("*.yaml")}
    manual = {
        name
        for name, each in DEPLOYMENTS.items()
        if each["entrypoint"] == "flows.study.flow.study"
        and not each.get("schedules")
        and not each.get("triggers")
    }
    assert manual == shipped
    for name in manual:
        assert DEPLOYMENTS[name]["parameters"]["study"] == name
        load_study(name, DEPLOYMENTS[name]["parameters"]["overrides"])


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_is_whole(name: str) -> None:
    entry = DEPLOYMENTS[name]
    flow = load_flow_from_entrypoint(entry["entrypoint"])
    given = {"files": ["june.csv"], **entry["parameters"]} if name == "evaluate" else None
    flow.validate_parameters(given or entry["parameters"])
    assert len(entry["description"]) > 20 and entry["tags"][0] == "dense"
    assert entry["work_pool"]["name"] == "dense" and FILE["pull"] == []
    environment = entry["work_pool"]["job_variables"]["env"]
    assert environment == FILE["definitions"]["pool"]["job_variables"]["env"]
    assert environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == f"{HEARTBEAT.seconds}"
    assert entry["concurrency_limit"]["limit"] >= 1
    for schedule in entry.get("schedules", []):
        assert schedule["slug"] and schedule["active"] is False
        assert entry["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


def test_the_form_has_a_list_of_studies_lines_of_overrides_and_a_number() -> None:
    assert "enum" not in study.parameters.model_dump()["properties"]["study"]
    offer_studies()
    fields = parameter_schema(study).model_dump()["properties"]  # as `prefect deploy` does
    assert fields["study"]["enum"] == list(study_names())
    assert fields["overrides"]["items"] == {"type": "string"}
    assert (fields["more"]["type"], fields["more"]["minimum"]) == ("integer", 0)
    assert all(field["title"] and field["description"] for field in fields.values())
    assert study.validate_parameters({"study": "mine.yaml"})["study"] == "mine.yaml"


def test_importing_the_flow_reads_no_study_folder() -> None:
    code = (
        "import sys\n"
        "touched = []\n"
        "sys.addaudithook(lambda name, args: name in ('open', 'os.scandir', 'os.listdir') "
        "and touched.append(str(args[0])))\n"
        "import flows.study.flow\n"
        "print([path for path in touched if 'studies' in path])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("flow", [evaluate, monitor], ids=["evaluate", "monitor"])
def test_a_champion_is_that_of_any_study_that_ran(flow: Any) -> None:
    """Also of one whose run was named by an override, which Prefect would refuse of a list."""
    assert "enum" not in flow.parameters.model_dump()["properties"]["study"]


def test_a_runs_log_has_no_line_for_every_task_that_ended_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in FILE["definitions"]["pool"]["job_variables"]["env"].items():
        monkeypatch.setenv(name, value)
    loggers = load_logging_config(DEFAULT_LOGGING_SETTINGS_PATH)["loggers"]
    assert loggers["prefect.task_runs"]["level"] == "WARNING"
    assert loggers["prefect.flow_runs"]["level"] == "NOTSET"
