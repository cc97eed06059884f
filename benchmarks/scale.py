"""Cost per trial of a long study: the first hundred trials compared with the last hundred.

    python -m benchmarks.scale [--trials 1000]

Tiny trials run through the real command with the full record. Prints the cost per trial of the
first and of the last hundred trials (processor seconds of the driver and of Prefect's server,
MLflow calls, slot seconds outside training), the driver's memory, and the size of journal and
record. On a shared machine processor seconds are more reliable than the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.throughput import used
from conf.runtime.home import Home

SLOTS = 2
PART = 100
"""Trials of the first and of the last part that are compared."""
STUDY = """\
extends: base
name: scale
data: {{source: builtin, name: wine}}
augment: {{rotate: null}}
model: {{kind: mlp, width: 8}}
train: {{epochs: 1, batch_size: 128}}
search:
  strategy: {strategy}
  trials: {trials}
  space: {{train.lr: {{low: 1e-4, high: 1e-1, scale: log}}}}
resources: {{slots: {slots}}}
champion: {{enabled: false}}
"""


@dataclass(frozen=True)
class Look:
    """What had been used up when so many trials had ended."""

    ended: int
    driver: float
    """Processor seconds."""
    prefect: float
    calls: int
    """Of MLflow's client."""
    memory: float
    """The driver's megabytes."""


class Counted:
    """A client of MLflow that notes each call in a file."""

    def __init__(self, client: Any, notes: Path) -> None:
        self._client = client
        self._notes = notes

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._notes.open("a") as file:
                file.write(f"{name}\n")
            return found(*args, **kwargs)

        return call


def drive(study: str, notes: Path) -> None:
    """Be the command `dense run`, with a client of MLflow that counts."""
    from flows.cli.main import main as dense
    from tasks.track import store

    client = store.client
    store.client = lambda uri: Counted(client(uri), notes)
    sys.argv = ["dense", "run", study]
    dense()


def run(home: Home, trials: int, strategy: str) -> tuple[list[dict[str, Any]], list[Look]]:
    """The study's journal, and looks at the processes while it ran."""
    path, notes = home.path / "scale.yaml", home.path / "calls.txt"
    path.write_text(STUDY.format(trials=trials, slots=SLOTS, strategy=strategy))
    notes.touch()
    command = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scale", "--drive", str(path), str(notes)],
        env={**os.environ, "DENSE_HOME": str(home.path)},
    )
    journal, looks = home.study("scale") / "journal.jsonl", []
    driver = psutil.Process(command.pid)
    while command.poll() is None:
        ended = journal.read_text().count('"finished"') if journal.exists() else 0
        if 0 < ended < trials:
            now, calls = used(command.pid), notes.read_text().count("\n")
            memory = driver.memory_info().rss / 1e6
            looks.append(Look(ended, now["driver"], now["prefect"], calls, memory))
        time.sleep(0.5)
    if command.returncode != 0:
        raise SystemExit(f"the study ended with {command.returncode}")
    return [json.loads(line) for line in journal.read_text().splitlines()], looks


def overhead(lines: list[dict[str, Any]]) -> float:
    """Slot seconds a trial besides its training, of trials that ended one after another."""
    wall = lines[-1]["time"] - lines[0]["time"]
    slot = wall * SLOTS / (len(lines) - 1)
    return slot - statistics.mean(line["seconds"] for line in lines)


def part(looks: list[Look], lines: list[dict[str, Any]], first: int, last: int) -> dict[str, Any]:
    """What a trial between two numbers of ended trials cost."""
    inside = [look for look in looks if first <= look.ended <= last]
    begin, end = inside[0], inside[-1]
    trials = max(end.ended - begin.ended, 1)
    return {
        "driver_seconds": (end.driver - begin.driver) / trials,
        "prefect_seconds": (end.prefect - begin.prefect) / trials,
        "mlflow_calls": (end.calls - begin.calls) / trials,
        "slot_seconds_besides_training": overhead(lines[first:last]),
        "driver_mb": end.memory,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--strategy", default="random")
    parser.add_argument("--drive", nargs=2, metavar=("STUDY", "NOTES"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.drive:
        drive(given.drive[0], Path(given.drive[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder))
        journal, looks = run(home, given.trials, given.strategy)
        ended = [line for line in journal if line["event"] == "finished"]
        size = min(PART, given.trials // 3)
        # The very first trials wait for imports and first connections, which come once.
        begin = min(20, size)
        first = part(looks, ended, begin, begin + size)
        last = part(looks, ended, given.trials - size, given.trials)
        bytes_ = (home.study("scale") / "journal.jsonl").stat().st_size
        found = {
            "first": first,
            "last": last,
            "last / first": {key: last[key] / first[key] for key in first if first[key]},
            "driver_mb": [looks[len(looks) * at // 8].memory for at in range(8)],
            "journal_bytes_a_trial": bytes_ / given.trials,
            "record_bytes_a_trial": home.mlflow_database.stat().st_size / given.trials,
        }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
