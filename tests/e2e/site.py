"""A home with `dense up`: real servers, a real worker, and their pages."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from conf.runtime.home import Home
from flows.servers import state
from flows.servers.prefect import free_port
from tests.e2e.command import Command
from tests.e2e.prefect_api import Api

QUICK = ("search.trials=2", "train.epochs=1", "model.width=16", "resources.slots=2")


@dataclass
class Site:
    """The servers of one home, on ports of their own."""

    dense: Command
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    api: Api = field(init=False)
    """Prefect's."""

    def __post_init__(self) -> None:
        self.api = Api(f"http://127.0.0.1:{self.ports[0]}/api")

    @classmethod
    def of(cls, home: Path) -> Site:
        """Of a home; its worker looks for work every two seconds."""
        given = home.parent / "given"
        given.mkdir()
        own = {"PREFECT_HOME": str(home / "prefect"), "PREFECT_WORKER_QUERY_SECONDS": "2"}
        return cls(Command(home, {**own, "DENSE_DATA": str(given)}))

    @property
    def given(self) -> Path:
        """The folder whose files deployments may read."""
        return Path(self.dense.env["DENSE_DATA"])

    @property
    def mlflow(self) -> str:
        """Address of MLflow's server."""
        return f"http://127.0.0.1:{self.ports[1]}"

    def up(self, *more: str) -> str:
        """`dense up` in the background; what it says."""
        ports = ["--prefect-port", str(self.ports[0]), "--mlflow-port", str(self.ports[1])]
        said = self.dense.run("up", "--detach", *ports, *more)
        assert said.returncode == 0, said.stderr
        return said.stdout

    def close(self) -> None:
        """End it, in whatever state it is."""
        self.api.close()
        self.dense.run("down")
        for process in self.dense.processes():
            process.kill()

    def pid(self, name: str) -> int:
        """The guard of a program, which is its group's number."""
        found = state.running(Home.open(self.dense.home))
        assert found is not None
        return next(each.pid for each in found.services if each.name == name)

    def signal(self, name: str, number: signal.Signals) -> None:
        """A signal to a program, its guard, and all of their group."""
        os.killpg(self.pid(name), number)


def processes_of(dense: Command, run: str) -> list[psutil.Process]:
    """The processes of a flow run: its own, its trial server's, its trials'."""
    return [each for each in dense.processes() if _run_of(each) == run]


def _run_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("PREFECT__FLOW_RUN_ID")
    except psutil.Error:
        return None
