"""python -m benchmarks.scale [--trials 1000]

Whether a long study stays as quick as a short one: tiny trials through the real command with the
full record. Printed are the slot seconds that a trial takes besides its training, of the second
and the last tenth of the trials; the driver's memory; and the size of the journal and the record.
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
from pathlib import Path
from typing import Any

import psutil

from conf.home import Home

SLOTS = 2
STUDY = """\
extends: base
name: scale
data: {{source: builtin, name: wine}}
augment: {{rotate: null}}
model: {{kind: mlp, width: 8}}
train: {{epochs: 1, batch_size: 128}}
search:
  strategy: random
  trials: {trials}
  space: {{train.lr: {{low: 1e-4, high: 1e-1, scale: log}}}}
resources: {{slots: {slots}}}
champion: {{enabled: false}}
"""


def run(home: Home, trials: int) -> tuple[list[dict[str, Any]], list[tuple[int, float]]]:
    """The study's journal, and (trials ended, driver's megabytes) while it ran."""
    path = home.path / "scale.yaml"
    path.write_text(STUDY.format(trials=trials, slots=SLOTS))
    command = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", str(path)],
        env={**os.environ, "DENSE_HOME": str(home.path)},
    )
    journal, memory = home.study("scale") / "journal.jsonl", []
    driver = psutil.Process(command.pid)
    while command.poll() is None:
        ended = journal.read_text().count('"finished"') if journal.exists() else 0
        if 0 < ended < trials:
            memory.append((ended, driver.memory_info().rss / 1e6))
        time.sleep(1.0)
    if command.returncode != 0:
        raise SystemExit(f"the study ended with {command.returncode}")
    return [json.loads(line) for line in journal.read_text().splitlines()], memory


def overhead(lines: list[dict[str, Any]]) -> float:
    """Slot seconds a trial besides its training, of trials that ended one after another."""
    wall = lines[-1]["time"] - lines[0]["time"]
    slot = wall * SLOTS / (len(lines) - 1)
    return slot - statistics.mean(line["seconds"] for line in lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1_000)
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder))
        journal, memory = run(home, trials)
        ended = [line for line in journal if line["event"] == "finished"]
        tenth = trials // 10
        first, last = overhead(ended[tenth : 2 * tenth]), overhead(ended[-tenth:])
        bytes_ = (home.study("scale") / "journal.jsonl").stat().st_size
        found = {
            "overhead_of_the_second_tenth": first,
            "overhead_of_the_last_tenth": last,
            "ratio": last / first,
            "driver_mb": [memory[len(memory) * at // 4][1] for at in range(4)] + [memory[-1][1]],
            "journal_bytes_a_trial": bytes_ / trials,
            "record_bytes_a_trial": home.mlflow_database.stat().st_size / trials,
        }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
