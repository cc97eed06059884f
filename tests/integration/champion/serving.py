"""MLflow's own server of a model, and a client for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.servers.prefect import free_port


@contextmanager
def served(model: str, log: Path, *more: str, uri: str | None = None) -> Iterator[str]:
    """`mlflow models serve` in a group of its own, with more arguments; gives its address once it
    answers. `uri` is of the registry, for a model that is named by it."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), *more]
    scripts = str(Path(sys.executable).parent)  # it starts uvicorn by name
    env = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"}
    env |= {} if uri is None else {"MLFLOW_TRACKING_URI": uri}
    with log.open("w") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=output, env=env, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, server, log)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def ask(url: str, body: Any) -> tuple[int, Any]:
    """Status and answer of one request."""
    request = urllib.request.Request(
        f"{url}/invocations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 170
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/ping", timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(log.read_text())
