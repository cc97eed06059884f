"""Small trials through the whole system, compared with plain loops and with other tuners.

    python -m benchmarks.throughput [--trials 40 120] [--peers optuna ray hyperopt] [--sittings 3]

One sitting runs limit, study, limit, peer, limit and so on; each is compared with the limits before
and after it.

The study runs through the real command with its full record. Its clock runs from the first `asked`
to the last `finished` line of the journal, when every server is up. The limit is the same trainings
as plain PyTorch loops in two warm processes. A peer trains the same configurations with Lightning,
two at a time, with a child run in MLflow for each (`benchmarks.peers`); its clock runs from the
start of the first trial to the end of the last one, after its processes are warm. `cold` counts
from the command. `--environments DIR` names the folder whose `tune` folder is the environment with
the peers, if it is not this one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from benchmarks.limit import configurations, measure, small_study
from benchmarks.peers import Job
from benchmarks.shared import peer_python, start_dense, start_peer
from conf.runtime.home import Home
from tasks.prepare import prepare
from tasks.report.reproduce import as_yaml
from tasks.train.folder import TrialFolder

SLOTS = 2


def run_command(home: Home, trials: int) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Run the study with the real command; its journal, and processor seconds a trial by part, with
    the seconds from the command to the last trial as `cold`."""
    study = home.path / "throughput.yaml"
    study.write_text(as_yaml(small_study(trials)))
    begun = time.time()
    command = start_dense(home.path, "run", str(study), f"resources.slots={SLOTS}")
    journal = home.study("throughput") / "journal.jsonl"
    looks = []
    while command.poll() is None:
        text = journal.read_text() if journal.exists() else ""
        if '"asked"' in text and text.count('"finished"') <= trials:
            looks.append(used(command.pid))
        if text.count('"finished"') >= trials:
            break
        time.sleep(0.5)  # looking at all processes takes a part of a core itself
    if command.wait() != 0:
        raise SystemExit(f"the study ended with {command.returncode}")
    spent = {part: (looks[-1][part] - looks[0].get(part, 0.0)) / trials for part in looks[-1]}
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    spent["cold"] = max(line["time"] for line in lines if line["event"] == "finished") - begun
    return lines, spent


def run_peer(peer: str, python: str, job: Job) -> dict[str, float]:
    """Seconds of a peer from its first trial's begin to its last one's end, and from the command.

    Raises:
        SystemExit: it did not train every trial.
    """
    events = Path(job.events)
    path = events.with_suffix(".job.json")
    path.write_text(json.dumps(asdict(job)))
    begun = time.time()
    if code := start_peer(python, peer, path).wait():
        raise SystemExit(f"{peer} ended with exit code {code}")
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    ends = [line["time"] for line in lines if line["what"] == "end"]
    if len(ends) != job.trials:
        raise SystemExit(f"{peer} ended {len(ends)} of {job.trials} trials")
    first = min(line["time"] for line in lines if line["what"] == "begin")
    return {"wall": max(ends) - first, "cold": max(ends) - begun}


def used(pid: int) -> dict[str, float]:
    """Processor seconds so far of the driver, the trials and Prefect's server."""
    driver = psutil.Process(pid)
    times = driver.cpu_times()
    found = {"driver": times.user + times.system, "trials": 0.0, "prefect": 0.0}
    for child in driver.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            line, times = " ".join(child.cmdline()), child.cpu_times()
            part = "trials" if "tasks.train.trial.server" in line else "prefect"
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


def sitting(trials: int, peers: Sequence[str], python: str) -> dict[str, Any]:
    """One sitting: everybody's seconds for the same trials, each between two measures of the limit,
    because a virtual machine's own speed changes by a third within minutes."""
    study = small_study(trials)
    configs = configurations(study, trials)
    rates = [config.train.lr for config in configs]
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder))
        prepared = prepare(study, home)
        limits = [measure(prepared.path, configs)]
        journal, spent = run_command(home, trials)
        found: dict[str, Any] = {"dense": breakdown(home, journal) | {"cold": spent.pop("cold")}}
        limits.append(measure(prepared.path, configs))
        for peer in peers:
            job = Job(
                study=study.model_dump(mode="json"),
                prepared=str(prepared.path),
                events=f"{folder}/{peer}.jsonl",
                trials=trials,
                fixed=rates,
                tracking=f"sqlite:///{folder}/{peer}-mlflow.db",
            )
            found[peer] = run_peer(peer, python, job)
            limits.append(measure(prepared.path, configs))
    for turn, facts in enumerate(found.values()):
        around = [limit["seconds"] for limit in limits[turn : turn + 2]]
        facts["share of the limit"] = statistics.mean(around) / facts["wall"]
    return {**found, "limits": limits, "processor seconds a trial": spent}


def median_shares(sittings: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, float]:
    """Everybody's share of the limit, the median of the sittings."""
    shares = {name: [each[name]["share of the limit"] for each in sittings] for name in names}
    return {name: round(statistics.median(found), 3) for name, found in shares.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[40])
    parser.add_argument("--peers", nargs="*", default=[], choices=["optuna", "ray", "hyperopt"])
    parser.add_argument("--sittings", type=int, default=1)
    parser.add_argument("--environments", type=Path)
    given = parser.parse_args()
    python = peer_python(given.environments)
    for trials in given.trials:
        sittings = []
        for _ in range(given.sittings):
            sittings.append(sitting(trials, given.peers, python))
            print(json.dumps({"trials": trials, **sittings[-1]}, indent=1), flush=True)
        shares = median_shares(sittings, ["dense", *given.peers])
        print(f"{trials} trials, median share of the limit: {json.dumps(shares)}", flush=True)


if __name__ == "__main__":
    main()
