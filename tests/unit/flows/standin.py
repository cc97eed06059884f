"""`dense up` with programs that stand in for the servers: `python -m tests.unit.flows.standin`."""

from __future__ import annotations

import sys
from typing import Any

from conf.runtime.home import Home
from flows.cli import main as cli
from flows.servers import supervisor
from flows.servers.child import Child, Program, answers


class Stand(Child):
    """A small server in place of Prefect's."""

    def __init__(self, home: Home, port: int) -> None:
        super().__init__(served(home, "prefect", port))
        self.url = f"http://127.0.0.1:{port}/api"
        self.log = self.program.log

    def wait(self) -> None:
        self.wait_healthy(10)


def served(home: Home, name: str, port: int) -> Program:
    """A server that is well: it has pages where health is asked for."""
    pages = home.path / "pages"
    (pages / "api").mkdir(parents=True, exist_ok=True)
    for page in ("health", "api/health"):
        (pages / page).touch()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    return Program(
        name,
        [*command, "--directory", str(pages)],
        {},
        home.logs / f"{name}.log",
        lambda: answers(f"http://127.0.0.1:{port}/health", 1),
    )


def main(kind: str) -> None:
    """Be `dense up` over such servers; `broken` has a worker that ends at once."""
    replaced: dict[str, Any] = {
        "prefect_server": lambda home, ports, postgres: Stand(home, ports.prefect),
        "mlflow": lambda home, port, postgres: served(home, "mlflow", port),
        "worker": lambda home, api: Program(
            "worker",
            ["sh", "-c", "setsid sleep 1000 & exec sleep 1000"] if kind == "up" else ["true"],
            {},
            home.logs / "worker.log",
            lambda: kind == "up",
        ),
        "deploy_changes": lambda home, api, postgres: False,
    }
    for name, value in replaced.items():
        setattr(supervisor, name, value)
    sys.argv = ["dense", "up", "--prefect-port", sys.argv[2], "--mlflow-port", sys.argv[3]]
    cli.main()


if __name__ == "__main__":
    main(sys.argv[1])
