"""The examples for larger sites, and the commands and switches that are told beside them: what the
programs that they are for take."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from conf.runtime.home import Home
from flows.cli.main import app
from flows.servers import postgres, programs
from flows.servers.prefect import LEASES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PREFECT = yaml.safe_load((ROOT / "prefect.yaml").read_text())


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def test_services_wait_for_each_other_and_store_in_what_is_declared(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert set(services) == {"postgres", "mlflow", "prefect", "deploy", "worker", "worker-gpu"}
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            healthy = how["condition"] == "service_healthy"
            assert other in services and (not healthy or "healthcheck" in services[other]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).exists(), volume
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "an open server asks nobody who he is"
    gpus = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert gpus[0]["capabilities"] == ["gpu"] and services["worker-gpu"]["profiles"] == ["gpu"]


def test_the_image_has_what_the_project_is_installed_from() -> None:
    copied = (DEPLOY / "Dockerfile").read_text()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for folder in ("conf", "data", "flows", "models", "tasks"):
        assert f"COPY {folder} {folder}" in copied and f"!{folder}" in ignored
    (files,) = re.findall(r"COPY (.*) \./", copied)
    assert all((ROOT / file).is_file() and f"!{file}" in ignored for file in files.split())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extra,) = re.findall(r"\.\[(\w+)\]", copied)
    assert extra in project["optional-dependencies"]
    (version,) = re.findall(r"FROM python:([\d.]+)", copied)
    assert project["requires-python"].startswith(f">={version}")


def test_both_servers_use_the_database_as_dense_up_does(compose: dict[str, Any]) -> None:
    services, url = compose["services"], "postgresql://dense@postgres/dense"
    store = f"--backend-store-uri={postgres.for_mlflow(url)}"
    assert store in services["mlflow"]["command"]
    environment = services["prefect"]["environment"]
    assert {**postgres.for_prefect(url), **LEASES}.items() <= environment.items()
    text = (DEPLOY / "compose.yaml").read_text()
    assert text.count("${POSTGRES_PASSWORD:?") == 2, "a password has no default"
    schemas = (DEPLOY / "schemas.sql").read_text()
    assert all(f"EXISTS {schema};" in schemas for schema in postgres.SCHEMAS)


@pytest.mark.long
def test_mlflow_has_the_options_that_it_is_given(compose: dict[str, Any]) -> None:
    from mlflow.cli import cli

    command = compose["services"]["mlflow"]["command"]
    known = {option for each in cli.commands["server"].params for option in each.opts}
    assert {part.split("=")[0] for part in command[2:]} <= known


def test_prefect_takes_the_kubernetes_pool_and_renders_a_job_with_gpus() -> None:
    from prefect.client.schemas.actions import WorkPoolCreate as Asked
    from prefect.server.schemas.actions import WorkPoolCreate
    from prefect.utilities.templating import apply_values
    from prefect.workers.base import BaseJobConfiguration

    template = json.loads((DEPLOY / "kubernetes" / "pool.json").read_text())
    WorkPoolCreate(name="dense", type="kubernetes", base_job_template=template)
    Asked(name="dense", type="kubernetes", base_job_template=template)
    properties = template["variables"]["properties"]
    values = {name: each["default"] for name, each in properties.items() if "default" in each}
    values |= {"name": "digits", "command": "prefect flow-run execute", "gpus": 2}
    job = apply_values(template["job_configuration"], values)["job_manifest"]
    assert "{{" not in json.dumps(job)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert {each["name"] for each in container["volumeMounts"]} == {
        each["name"] for each in pod["volumes"]
    }
    made = BaseJobConfiguration.model_validate(apply_values(template["job_configuration"], values))
    assert made.labels["app"] == "dense"


def test_the_pool_finds_what_the_site_declares() -> None:
    site = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "site.yaml").read_text()))
    names = {each["kind"]: each["metadata"]["name"] for each in site}
    template = json.loads((DEPLOY / "kubernetes" / "pool.json").read_text())
    properties = template["variables"]["properties"]
    assert names["PersistentVolumeClaim"] == properties["home_claim"]["default"]
    assert names["Namespace"] == properties["namespace"]["default"]
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["envFrom"][0]["configMapRef"]["name"] == names["ConfigMap"]
    values = {name: each.get("default") for name, each in properties.items()}
    (claimed,) = re.findall(
        r"`gpus`, `gpu_product`, `memory`", (ROOT / "docs/operate.md").read_text()
    )
    assert set(re.findall(r"`(\w+)`", claimed)) <= set(values)
    assert set(PREFECT["definitions"]["pool"]["job_variables"]) <= set(values)
    assert pod["terminationGracePeriodSeconds"] > programs.FLOW_GRACE


def test_the_site_is_the_one_that_dense_up_makes(compose: dict[str, Any], home: Home) -> None:
    """Ports, addresses, signs of life, the pool, the time to save: as the code has them."""
    services, ports = compose["services"], programs.Ports()
    for name, port in (("prefect", ports.prefect), ("mlflow", ports.mlflow)):
        assert f"--port={port}" in services[name]["command"]
        assert services[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert services["worker"]["environment"] == {
        "PREFECT_API_URL": f"http://prefect:{ports.prefect}/api",
        "MLFLOW_TRACKING_URI": f"http://mlflow:{ports.mlflow}",
    }
    mlflow = programs.mlflow(home, ports.mlflow, "postgresql://dense@postgres/dense").environment
    given = services["mlflow"]["environment"]
    assert {name: mlflow[name] for name in given if name.startswith("MLFLOW")} == {
        name: value for name, value in given.items() if name.startswith("MLFLOW")
    }
    assert f"--pool={programs.POOL}" in services["worker"]["command"]
    module, pool = services["deploy"]["command"][2:]
    assert importlib.util.find_spec(module) and pool == programs.POOL
    assert int(services["worker"]["stop_grace_period"].rstrip("s")) > programs.FLOW_GRACE


def switches() -> Iterator[tuple[str, str]]:
    """Every variable of the environment that a file here sets, and its value."""
    yield from PREFECT["definitions"]["pool"]["job_variables"]["env"].items()
    for service in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values():
        yield from service.get("environment", {}).items()
    for each in yaml.safe_load_all((DEPLOY / "kubernetes" / "site.yaml").read_text()):
        yield from each.get("data", {}).items()
    yield from re.findall(r"(\b[A-Z_]{4,})=(\S+)", (DEPLOY / "Dockerfile").read_text())


def test_every_switch_is_one_that_its_program_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import environment_variables as of_mlflow
    from prefect.logging.configuration import DEFAULT_LOGGING_SETTINGS_PATH, load_logging_config
    from prefect.settings import Settings

    def read() -> Any:
        logging = load_logging_config(DEFAULT_LOGGING_SETTINGS_PATH)
        return Settings().model_dump(exclude_unset=True), logging

    ours = {"DENSE_HOME", "DO_NOT_TRACK", "NO_ALBUMENTATIONS_UPDATE", "PREFECT_HOME"}
    theirs = {"PGPASSWORD", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
    for name, value in switches():
        if name in ours | theirs:
            continue
        if name.startswith("MLFLOW_"):
            assert hasattr(of_mlflow, name), name
            continue
        monkeypatch.delenv(name, raising=False)
        before = read()
        monkeypatch.setenv(name, value)
        assert read() != before, name


def typed(program: str) -> list[list[str]]:
    """The commands of a program that the pages tell to type, as words."""
    blocks = [
        block
        for page in PAGES
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.DOTALL | re.M)
    ]
    lines = [
        line for each in blocks for line in re.findall(rf"^(?:\$ )?({program} .*)$", each, re.M)
    ]
    return [shlex.split(line, comments=True) for line in lines]


def mentioned() -> list[list[str]]:
    """Prefect's commands within sentences, and in the comments of files."""
    found = [line for page in PAGES for line in re.findall(r"`(prefect [^`]*)`", page.read_text())]
    for file in (ROOT / "prefect.yaml", DEPLOY / "compose.yaml"):
        found += re.findall(r"^# (prefect .*)$", file.read_text(), re.M)
    return [shlex.split(line) for line in found]


def test_prefect_takes_the_commands_that_are_told(compose: dict[str, Any]) -> None:
    from prefect.cli._app import _app

    started = [each["command"] for each in compose["services"].values() if "command" in each]
    given = [words for words in started if words[0] == "prefect"]
    given += typed("prefect") + mentioned()
    assert len(given) > 12
    for words in given:
        some = [f"{0:08}-0000-4000-8000-{0:012}" if word == "ID" else word for word in words]
        _app.parse_args(some[1:], exit_on_error=False, print_error=False)


def test_dense_takes_the_commands_that_are_told() -> None:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    given = typed("dense")
    assert len(given) > 10
    for _, name, *words in given:
        commands[name].make_context(name, words)
