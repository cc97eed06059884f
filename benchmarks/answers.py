"""Response times of `dense`, its servers and their first pages.

    python -m benchmarks.answers [HOME]

Without HOME a temporary home is used.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.shared import run_dense
from flows.servers.prefect import free_port

TIMES = 5
COMMANDS = (["--help"], ["ps"], ["status"], ["check", "digits"])


def seconds(home: Path, *arguments: str) -> tuple[float, float]:
    """Seconds by the clock, and of the processor, that `dense ARGUMENTS` takes."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run_dense(home, *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, used


def first_page(address: str) -> float:
    """Seconds until the first page of a server has come."""
    began = time.perf_counter()
    with urllib.request.urlopen(address, timeout=60) as answer:
        answer.read()
    return time.perf_counter() - began


def main(home: Path) -> None:
    """Measure and print."""
    for command in COMMANDS:
        taken = [seconds(home, *command) for _ in range(TIMES)]
        clock, used = (min(each) for each in zip(*taken, strict=True))
        print(f"dense {' '.join(command):<14} {clock:6.2f} s, of the processor {used:5.2f}")
    prefect, mlflow = str(free_port()), str(free_port())
    ports = ["--prefect-port", prefect, "--mlflow-port", mlflow]
    for what in ("first", "again"):
        print(f"dense up, {what:<10} {seconds(home, 'up', '--detach', *ports)[0]:6.1f} s")
        for name, port in (("Prefect", prefect), ("MLflow", mlflow)):
            print(f"  first page of {name:<8} {first_page(f'http://127.0.0.1:{port}/'):6.2f} s")
        print(f"dense down           {seconds(home, 'down')[0]:6.1f} s")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder) / "home")
