"""The examples for larger sites: files that the programs they are for would take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import postgres
from flows.server import LEASES

DEPLOY = Path(__file__).parents[2] / "deploy"


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
    copied = (DEPLOY / "Dockerfile").read_text()
    for folder in ("conf", "data", "flows", "models", "tasks"):
        assert f"COPY {folder} {folder}" in copied


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
