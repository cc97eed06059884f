"""The Prefect API of a run: the configured one, or a server that lives as long as the command."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from conf.runtime.closeable import Closing
from conf.runtime.errors import BadInput, DenseError
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home

START_SECONDS = 120.0

# Where processors are scarce the trials have them: what the server hears of it writes down later.
PATIENT = ("nice", "-n", "10")

# What a short-lived server need not do: no schedules, no clean-up, no pages.
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
    # What becomes of task runs is written down every five seconds, and when the server ends. One
    # event at a time, as it is otherwise, a trial costs the server five times as much.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
}

# Where a server with deployments notes which run has which place under their limits. In memory, as
# it is otherwise, a restart loses that, and Prefect ends the runs.
LEASES = {
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    )
}


class PrefectServer(Closing):
    """Prefect's server in a session of its own, ended by the end of this process."""

    def __init__(
        self,
        home: Home,
        *,
        full: bool = False,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the server and return at once; `wait` says when it answers.

        `full`: with its pages and the services that deployments need (late runs, cancellation,
        schedules). `port`: a free one when absent. `environment`: beside the caller's, such as
        another database than the home's.
        """
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.log = home.logs / f"prefect-{self.port}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        home.prefect.mkdir(parents=True, exist_ok=True)
        # One server at a time creates or migrates the database.
        self._migration = FileLock.acquire(home.prefect / "start.lock")
        pages = {"PREFECT_UI_API_URL": self.url}  # its pages ask where they came from
        switches = {**({**LEASES, **pages} if full else EPHEMERAL), **(environment or {})}
        self._process = self._launch(home.prefect, switches)

    def _launch(self, prefect_home: Path, switches: dict[str, str]) -> subprocess.Popen[bytes]:
        python = [sys.executable, "-P", "-m"]  # no package of where the user works
        command = [*python, "flows.servers.guard", *PATIENT, *python, "uvicorn"]
        command += ["--factory", "flows.servers.prefect_app:create_app", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--log-level", "error", "--lifespan", "on"]
        environment = {**os.environ, **switches, "PREFECT_HOME": str(prefect_home)}
        environment.pop("PREFECT_API_URL", None)
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def wait(self) -> str:
        """Return the API's address once it answers.

        Raises:
            DenseError: the server ended or did not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            answered = answers(self.url)
            ended = self._process.poll() is not None  # then whoever answers is another's server
            if answered and not ended:
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

    @property
    def pid(self) -> int:
        """The guard's process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the server is gone."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End the server and everything it started."""
        self._migration.close()
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


def configured_api(home: Home) -> str | None:
    """The Prefect API that the user chose: environment, active profile, or the home's servers.

    Raises:
        BadInput: the file that would say so cannot be read.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        return url
    if url := _profile_api():
        return url
    url = _named_server(home.path / "servers.json")
    return url if url is not None and answers(url) else None


def _named_server(servers: Path) -> str | None:
    """The API that the home's servers offer."""
    if not servers.is_file():
        return None
    try:
        url = json.loads(servers.read_text()).get("prefect")
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(
            f"{servers} cannot be read ({error}); remove it, or set PREFECT_API_URL"
        ) from error
    return url if isinstance(url, str) else None


def _profile_api() -> str | None:
    """The API of Prefect's active profile, read without importing Prefect where there is none."""
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


def answers(url: str) -> bool:
    """Whether a Prefect API answers at this address."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def free_port() -> int:
    """A port of this machine's own address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
