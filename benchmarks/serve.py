"""Requests per second and latency of a champion behind `mlflow models serve`.

python -m benchmarks.serve
python -m benchmarks.serve --home FOLDER --clients 1 2 8 --rows 1 32 --seconds 20
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.monitor import champion
from conf.runtime.home import Home
from tasks.packaging.raw_rows import read_rows
from tasks.prepare import test_path
from tests.integration.champion.serving import served

WARM_REQUESTS = 20
HEADERS = {"Content-Type": "application/json"}


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
        values = read_rows(test_path(prepared), prepared.card.inputs).values
        log, workers = home.logs / "serve.log", ("--workers", str(given.workers))
        with served(str(folder / "model"), log, *workers) as url:
            port = int(url.rpartition(":")[2])
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
