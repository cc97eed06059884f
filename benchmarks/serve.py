"""Requests a second and the time of each, of a champion behind `mlflow models serve`.

python -m benchmarks.serve
python -m benchmarks.serve --home FOLDER --clients 1 2 8 --rows 1 32 --seconds 20
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.monitor import champion
from conf.home import Home
from flows.server import free_port
from tasks.champion.rows import read_rows
from tasks.prepare import test_path

READY_SECONDS = 180
WARM_REQUESTS = 20
HEADERS = {"Content-Type": "application/json"}


@contextmanager
def served(model: Path, log: Path, workers: int) -> Iterator[int]:
    """The server in a group of its own; its port, once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model)]
    command += ["--env-manager", "local", "--port", str(port), "--workers", str(workers)]
    scripts = str(Path(sys.executable).parent)  # it starts uvicorn by name
    env = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"}
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=env, start_new_session=True)
    try:
        _wait(server, port, log)
        yield port
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"the server did not answer; the end of its log:\n{log.read_text()[-2000:]}")


def asked(port: int, body: bytes, until: float) -> list[float]:
    """One client that asks again and again over one connection; seconds of each request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    seconds = []
    while time.monotonic() < until:
        start = time.perf_counter()
        connection.request("POST", "/invocations", body, HEADERS)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}: {said[:300]!r}")
        seconds.append(time.perf_counter() - start)
    return seconds


def measured(port: int, body: bytes, clients: int, seconds: float) -> tuple[float, np.ndarray]:
    """Requests a second over so many clients, and the milliseconds of all requests."""
    start = time.monotonic()
    with ThreadPoolExecutor(clients) as threads:
        each = [threads.submit(asked, port, body, start + seconds) for _ in range(clients)]
        found = [time for one in each for time in one.result()]
    return len(found) / (time.monotonic() - start), np.array(found) * 1000


def main() -> None:
    """Print a line a setting."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 2, 8], help="at once")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 32], help="in a request")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--workers", type=int, default=1, help="of the server")
    parser.add_argument("--home", type=Path, help="where the champion is kept; else nowhere")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Home.open(given.home or Path(scratch))
        prepared, folder = champion(home)
        values = read_rows(test_path(prepared), prepared.card["inputs"]).values
        with served(folder / "model", home.logs / "serve.log", given.workers) as port:
            for rows in given.rows:
                body = json.dumps({"inputs": values[:rows].tolist()}).encode()
                for _ in range(WARM_REQUESTS):
                    asked(port, body, time.monotonic() + 0.01)
                for clients in given.clients:
                    rate, times = measured(port, body, clients, given.seconds)
                    p50, p95 = np.quantile(times, (0.5, 0.95))
                    print(
                        f"{rows:>3} rows a request, {clients:>2} clients: {rate:7.1f} requests/s, "
                        f"{rate * rows:8.1f} rows/s, p50 {p50:6.1f} ms, p95 {p95:6.1f} ms",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
