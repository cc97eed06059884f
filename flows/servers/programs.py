"""The programs of a home's site: Prefect's server, MLflow's, and a worker that runs deployments."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass

from conf.runtime.child_process import PYTHON
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from flows.servers.child import Program, answers
from flows.servers.postgres import environment, for_prefect
from flows.servers.prefect import PrefectServer
from flows.servers.state import Servers

POOL = "dense"
"""The work pool of the deployments."""
NOTIFY_VARIABLE = "dense_notify"
"""The Prefect variable that names the block to notify."""
FLOW_GRACE = 30.0  # a flow run that is ended lets its trials save


@dataclass(frozen=True)
class Ports:
    """Where the servers listen, on this machine alone.

    Raises:
        BadInput: both on one port.
    """

    prefect: int = 4200
    mlflow: int = 5000

    def __post_init__(self) -> None:
        if self.prefect == self.mlflow:
            raise BadInput(
                f"both servers cannot listen on port {self.prefect}; "
                "give two different ones with --prefect-port and --mlflow-port"
            )


def prefect_server(home: Home, ports: Ports, postgres: str | None) -> PrefectServer:
    """Prefect's server with its pages, on the home's own database or on PostgreSQL."""
    kept = {**for_prefect(postgres), **environment(home, postgres)} if postgres else {}
    return PrefectServer(home, full=True, port=ports.prefect, environment=kept)


def recording(ports: Ports, postgres: str | None) -> Servers:
    """What `servers.json` says of where the record is kept, whether the servers are up or not."""
    url = f"http://127.0.0.1:{ports.mlflow}" if postgres else None
    return Servers(mlflow=url, postgres=postgres)


def mlflow(home: Home, port: int, postgres: str | None = None) -> Program:
    """MLflow's server on the home's own database, or on PostgreSQL."""
    return Program(
        name="mlflow",
        command=[*PYTHON, "flows.servers.mlflow", str(port), *([postgres] if postgres else [])],
        environment={
            **(environment(home, postgres) if postgres else {}),
            # A request of MLflow's holds one connection while it asks for a second: as many
            # requests as the pool has connections wait for each other.
            "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "16",
            "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "-1",
            "DENSE_HOME": str(home.path),
            "MLFLOW_TRACKING_URI": "",  # it serves the home's own, whatever clients are told
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        log=home.logs / "mlflow.log",
        is_healthy=lambda: answers(f"http://127.0.0.1:{port}/health"),
    )


def worker(home: Home, api: str) -> Program:
    """A process worker on the pool."""
    name = f"{socket.gethostname()}-{home.id[:8]}"
    command = [*PYTHON, "prefect", "worker", "start", "--pool", POOL]
    return Program(
        name="worker",
        command=[*command, "--type", "process", "--name", name],
        environment=clients(home, api),
        log=home.logs / "worker.log",
        is_healthy=lambda: is_online(api, name),
        grace=FLOW_GRACE,
    )


def is_online(api: str, name: str) -> bool:
    """Whether Prefect has heard of a worker lately."""
    request = urllib.request.Request(  # noqa: S310  our own server
        f"{api}/work_pools/{POOL}/workers/filter",
        data=b"{}",
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  our own server
            found = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return False
    return any(each["name"] == name and each["status"] == "ONLINE" for each in found)


def clients(home: Home, api: str) -> dict[str, str]:
    """What tells a program of Prefect and this project where they are."""
    return {
        "PREFECT_API_URL": api,
        "PREFECT_HOME": str(home.prefect),
        "DENSE_HOME": str(home.path),
    }
