"""Prefect's server: the configured API, or a server that ends with the command."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from conf.runtime.child_process import PYTHON
from conf.runtime.errors import BadInput, DenseError
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home
from flows.servers.child import GuardedProcess, answers
from tasks.track.store import named_server

if TYPE_CHECKING:
    from fastapi import FastAPI

START_SECONDS = 120.0

# Trials have priority on a busy machine; the server records their events later.
LOW_PRIORITY = ("nice", "-n", "10")

# A server for one command needs no schedules, no clean-up and no pages.
EPHEMERAL = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_UI_ENABLED": "0",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    # Record events of task runs in batches, every five seconds and when the server ends. By default
    # it records one at a time, and a trial costs the server five times as much.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
}

# A server with deployments keeps the leases of its concurrency limits in files. In memory, which is
# the default, a restart loses them, and Prefect ends the runs.
LEASES = {
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    )
}


class PrefectServer(GuardedProcess):
    """A Prefect server that ends when this process does.

    Start it with the constructor, wait for its address with `wait`, end it with `close`.
    """

    def __init__(
        self,
        home: Home,
        *,
        full: bool = False,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the server and return at once.

        Args:
            home: keeps its database and its log.
            full: with web pages and the services that deployments need (late runs, cancellation,
                schedules).
            port: port to listen on; None takes a free one.
            environment: additional variables, such as the address of another database.
        """
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.log = home.logs / f"prefect-{self.port}.log"
        self.log.unlink(missing_ok=True)  # of an earlier server on this port
        pages = {"PREFECT_UI_API_URL": self.url}  # else the pages ask the address in the browser
        switches = {**({**LEASES, **pages} if full else EPHEMERAL), **(environment or {})}
        variables = {**os.environ, **switches, "PREFECT_HOME": str(home.prefect)}
        variables.pop("PREFECT_API_URL", None)
        command = [*LOW_PRIORITY, *PYTHON, "uvicorn", "--factory", f"{__name__}:create_app"]
        # uvicorn would put the working directory first, and import a `flows` from there
        command += ["--app-dir", str(Path(__file__).resolve().parents[2]), "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--log-level", "error", "--lifespan", "on"]
        # One server at a time creates or migrates the database.
        self._migration = FileLock.acquire(home.prefect / "start.lock")
        super().__init__(command, log=self.log, environment=variables)

    def wait(self) -> str:
        """Wait until the server answers, and return the address of its API.

        Raises:
            DenseError: the server ended or did not answer in time; the message names the log.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            healthy = is_healthy(self.url)
            ended = self.ended  # then the answer came from another server on this port
            if healthy and not ended:
                break
            if ended or time.monotonic() > deadline:
                self.close()
                raise DenseError(
                    f"Prefect's server {'ended' if ended else 'did not answer in time'}; "
                    f"its log is {self.log}"
                )
            time.sleep(0.1)
        self._migration.close()
        return self.url

    def close(self) -> None:
        """End the server and everything it started."""
        self._migration.close()
        super().close()


def create_app() -> FastAPI:
    """The application that uvicorn serves.

    Importing this module has set the project's environment switches, which Prefect reads at import.
    """
    from prefect.server.api.server import create_app as create_prefect_app

    return create_prefect_app()


def configured_api(home: Home) -> str | None:
    """Address of the Prefect API to use: from the environment, the profile, or `servers.json`.

    Returns:
        None if none is configured, or if the server that `servers.json` names does not answer.

    Raises:
        BadInput: Prefect's profiles or `servers.json` cannot be read.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        return url
    if url := _profile_api():
        return url
    url = named_server(home, "prefect", "PREFECT_API_URL")
    return url if url is not None and is_healthy(url) else None


def _profile_api() -> str | None:
    """Address in Prefect's active profile, read without importing Prefect."""
    folder = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()
    profiles = Path(os.environ.get("PREFECT_PROFILES_PATH", folder / "profiles.toml")).expanduser()
    if not profiles.is_file():
        return None
    import tomllib

    try:
        content = tomllib.loads(profiles.read_text())
        name = os.environ.get("PREFECT_PROFILE") or content.get("active")
        url = content.get("profiles", {}).get(name, {}).get("PREFECT_API_URL")
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(
            f"Prefect's profiles {profiles} cannot be read ({error}); mend the file, "
            "or set PREFECT_API_URL"
        ) from error
    return url if isinstance(url, str) else None


def is_healthy(url: str) -> bool:
    """Whether a Prefect API answers at this address."""
    return answers(f"{url}/health")


def free_port() -> int:
    """A free port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
