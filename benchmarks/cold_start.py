"""Seconds from the command to the first training step, in a fresh and in a used home.

    python -m benchmarks.cold_start

Also the seconds of the parts that start in parallel, each alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.shared import run_dense, wall_seconds
from conf.runtime.home import Home

OVERRIDES = ("search.trials=1", "train.epochs=1")


def first_step(home: Path) -> float:
    """Seconds from the command to the moment at which the first trial holds its slot."""
    started = time.time()
    run_dense(home, "run", "digits", f"name=cold-{started:.0f}", *OVERRIDES)
    lock = next((home / "trials" / f"cold-{started:.0f}").glob("0-*/lock"))
    return float(json.loads(lock.read_text())["began"]) - started


def importing(module: str) -> float:
    """Seconds in which a new process imports a module."""
    return wall_seconds(
        lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    )


def prefect_server(home: Path) -> float:
    """Seconds until a Prefect server answers."""
    from flows.servers.prefect import PrefectServer

    def start() -> None:
        server = PrefectServer(Home.open(home))
        try:
            server.wait()
        finally:
            measured.append(time.perf_counter() - began)
            server.close()

    measured: list[float] = []
    began = time.perf_counter()
    start()
    return measured[0]


def trial_server(home: Path) -> float:
    """Seconds until a trial server is ready to fork."""
    from tasks.train.engine.client import TrialServer

    began = time.perf_counter()
    server = TrialServer.start(home / "logs" / "trial-server.log")
    try:
        server.wait_ready()
        return time.perf_counter() - began
    finally:
        server.close()


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        print(f"first training step, fresh home   {first_step(home):6.1f} s")
        print(f"first training step, used home    {first_step(home):6.1f} s")
        print(f"  Prefect server, used home       {prefect_server(home):6.1f} s")
        print(f"  Prefect server, fresh home      {prefect_server(Path(folder) / 'other'):6.1f} s")
        print(f"  trial server                    {trial_server(home):6.1f} s")
        print(f"  import of the flow              {importing('flows.study.flow'):6.1f} s")
        print(f"  import of MLflow                {importing('mlflow'):6.1f} s")


if __name__ == "__main__":
    main()
