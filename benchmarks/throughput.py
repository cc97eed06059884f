"""python -m benchmarks.throughput [--trials 40]

Small trials through the whole system against the bare limit, in one sitting: limit, study, limit.

The study is run by the real command with its full record. The clock runs from the first `asked` to
the last `finished` line of its journal, when every server is up. The limit is the same trainings as
plain PyTorch loops in two warm processes.
"""

from __future__ import annotations

import argparse
import contextlib
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

from benchmarks.limit import configurations, measure, small_study
from conf.home import Home
from tasks.prepare import prepare
from tasks.report.repeat import as_yaml
from tasks.train.folder import TrialFolder

SLOTS = 2


def run_command(home: Home, trials: int) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Run the study with the real command; its journal, and processor seconds a trial by part."""
    study = home.path / "throughput.yaml"
    study.write_text(as_yaml(small_study(trials)))
    command = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", str(study), f"resources.slots={SLOTS}"],
        env={**os.environ, "DENSE_HOME": str(home.path)},
    )
    journal = home.study("throughput") / "journal.jsonl"
    looks = []
    while command.poll() is None:
        text = journal.read_text() if journal.exists() else ""
        if '"asked"' in text and text.count('"finished"') <= trials:
            looks.append(used(command.pid))
        if text.count('"finished"') >= trials:
            break
        time.sleep(0.05)
    if command.wait() != 0:
        raise SystemExit(f"the study ended with {command.returncode}")
    spent = {part: (looks[-1][part] - looks[0].get(part, 0.0)) / trials for part in looks[-1]}
    return [json.loads(line) for line in journal.read_text().splitlines()], spent


def used(pid: int) -> dict[str, float]:
    """Processor seconds so far of the driver, the trials and Prefect's server."""
    driver = psutil.Process(pid)
    times = driver.cpu_times()
    found = {"driver": times.user + times.system, "trials": 0.0, "prefect": 0.0}
    for child in driver.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            line, times = " ".join(child.cmdline()), child.cpu_times()
            part = "trials" if "tasks.train.server" in line else "prefect"
            found[part] += times.user + times.system
            if part == "trials" and child.ppid() == pid:  # the trials that ended are its children
                found[part] += times.children_user + times.children_system
    return found


def breakdown(home: Home, journal: list[dict[str, Any]]) -> dict[str, float]:
    """Where the time of the study went, a trial, in seconds."""
    begun = {line["number"]: line["time"] for line in journal if line["event"] == "attempt"}
    ended = [line for line in journal if line["event"] == "finished"]
    assert all(line["outcome"] == "complete" for line in ended)
    first = next(line["time"] for line in journal if line["event"] == "asked")
    wall = max(line["time"] for line in ended) - first
    folders = [path.parent for path in home.trials("throughput").glob("[0-9]*/metrics.jsonl")]
    epochs = [sum(e.seconds for e in TrialFolder(path).read_metrics()) for path in folders]
    from_attempt = statistics.mean(line["time"] - begun[line["number"]] for line in ended)
    inside = statistics.mean(line["seconds"] for line in ended)
    return {
        "wall": wall,
        "slot_seconds_a_trial": wall * SLOTS / len(ended),
        "in_epochs": statistics.mean(epochs),
        "in_the_trial_besides": inside - statistics.mean(epochs),
        "start_and_evaluate": from_attempt - inside,
        "between_trials": wall * SLOTS / len(ended) - from_attempt,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    trials = parser.parse_args().trials
    configs = configurations(small_study(trials), trials)
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder))
        prepared = prepare(small_study(trials), home)
        before = measure(prepared.path, configs)
        journal, spent = run_command(home, trials)
        ours = breakdown(home, journal)
        after = measure(prepared.path, configs)
    limit = (before["seconds"] + after["seconds"]) / 2
    print(json.dumps({"before": before, "study": ours, "cpu": spent, "after": after}, indent=1))
    print(f"share of the limit: {limit / ours['wall']:.2f}")


if __name__ == "__main__":
    main()
