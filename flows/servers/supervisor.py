"""The servers of a home: Prefect's, MLflow's, and a worker that runs deployments."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from flows.servers.child import Child, Program
from flows.servers.deploy import deploy_changes
from flows.servers.guard import adopted, end_adopted
from flows.servers.prefect import START_SECONDS, PrefectServer
from flows.servers.programs import FLOW_GRACE, Ports, mlflow, prefect_server, recording, worker
from flows.servers.state import Servers, Service

RESTARTS = 5
HOUR = 3_600.0
"""Seconds in which a program may end so often; now and then is no reason to give up."""

Say = Callable[[str], None]


@dataclass
class Site:
    """What is running, and how to say so."""

    home: Home
    ports: Ports
    prefect: PrefectServer
    postgres: str | None = None
    children: dict[str, Child] = field(default_factory=dict)
    restarts: dict[str, list[float]] = field(default_factory=dict)
    """When each program was started again lately."""

    @classmethod
    def start(
        cls, home: Home, ports: Ports, stack: ExitStack, say: Say, postgres: str | None = None
    ) -> Site:
        """Start everything, in `stack`, and return when all of it is well.

        `postgres`: the database of both servers; without one they use the home's own files.

        Raises:
            BadInput: a port is taken.
            DenseError: a server does not start; the sentence names its log.
        """
        _require_free("prefect", ports.prefect)
        _require_free("mlflow", ports.mlflow)
        say("starting Prefect and MLflow")
        prefect = prefect_server(home, ports, postgres)
        site = cls(home, ports, prefect, postgres)
        stack.callback(lambda: site.prefect.close())  # the one that then is
        stack.callback(site.close)
        site._run(mlflow(home, ports.mlflow, postgres))
        prefect.wait()
        if deploy_changes(home, prefect.url, postgres):
            say("deployed prefect.yaml")
        say("starting the worker")
        site._run(worker(home, prefect.url))
        for child in site.children.values():
            child.wait_healthy(START_SECONDS)
        return site

    def _run(self, program: Program) -> None:
        self.children[program.name] = Child(program)

    def tend(self, say: Say) -> None:
        """Start again whatever has ended.

        Raises:
            DenseError: a program ended again and again, or Prefect's server does not come back.
        """
        adopted(self._own)
        if self.prefect.ended:
            self.count("prefect", self.prefect.log, say)
            self.prefect.close()
            self.prefect = prefect_server(self.home, self.ports, self.postgres)
            self.prefect.wait()
        for name, child in list(self.children.items()):
            if child.ended:
                self.count(name, child.program.log, say)
                self._run(child.program)

    def count(self, name: str, log: Path, say: Say) -> None:
        """Take note that a program ended and is started again; too often lately is an error."""
        now = time.monotonic()
        lately = [each for each in self.restarts.get(name, []) if now - each < HOUR]
        if len(lately) == RESTARTS:
            raise DenseError(f"{name} ended {RESTARTS + 1} times within an hour; its log is {log}")
        self.restarts[name] = [*lately, now]
        say(f"{name} ended and is started again; its log is {log}")

    def close(self) -> None:
        """End what runs first, while it has somewhere to report to: the runs of a worker that was
        killed, which went on as children of this process, then the worker and its own."""
        end_adopted(self._own, FLOW_GRACE)
        for child in reversed(self.children.values()):
            child.close()

    @property
    def _own(self) -> set[int]:
        return {self.prefect.pid, *(child.pid for child in self.children.values())}

    def described(self) -> Servers:
        """What `servers.json` is to say."""
        port = self.ports.prefect
        services = [
            Service(
                name="prefect",
                pid=self.prefect.pid,
                health=f"{self.prefect.url}/health",
                page=f"http://127.0.0.1:{port}",
                log=str(self.prefect.log),
            )
        ]
        for name, child in self.children.items():
            page = f"http://127.0.0.1:{self.ports.mlflow}" if name == "mlflow" else None
            services.append(
                Service(
                    name=name,
                    pid=child.pid,
                    health=f"{page}/health" if page else "",
                    page=page,
                    log=str(child.program.log),
                )
            )
        kept = recording(self.ports, self.postgres)
        return kept.model_copy(update={"prefect": self.prefect.url, "services": tuple(services)})


def _require_free(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BadInput(
                f"port {port} cannot be used ({error.strerror}); give another with --{name}-port"
            ) from error
