"""Throughput of the trial engine alone, compared with plain PyTorch loops.

    python -m benchmarks.engine [--trials 40]

Runs the limit, the engine and the limit again, without search, MLflow and Prefect. What is lost
here is the cost of Lightning, of the process and of the trial folder.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.limit import configurations, measure, small_study
from conf.loading.digests import derived_seed, trial_digest
from conf.runtime.home import Home
from conf.schema.study import TrialConfig
from tasks.prepare import Prepared, prepare
from tasks.train.engine.client import TrialServer
from tasks.train.engine.local import LocalEngine
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec


def run_all(
    engine: LocalEngine, home: Home, prepared: Prepared, configs: Sequence[TrialConfig], slots: int
) -> dict[str, float]:
    """All trials, so many at a time."""
    todo = list(enumerate(configs))
    lock = threading.Lock()
    walls, trained, inside = [], [], []

    def work() -> None:
        while True:
            with lock:
                if not todo:
                    return
                number, config = todo.pop(0)
            digest = trial_digest(config)
            spec = TrialSpec(
                study="throughput",
                number=number,
                digest=digest,
                config=config,
                seed=derived_seed(0, number),
                train=str(prepared.train),
                validation=str(prepared.validation),
                card=str(prepared.path / "card.json"),
                until=config.train.epochs,
            )
            folder = home.trial("throughput", number, digest)
            started = time.perf_counter()
            outcome = engine.run(spec, folder)
            walls.append(time.perf_counter() - started)
            inside.append(outcome.seconds)
            trained.append(sum(line.seconds for line in TrialFolder(folder).read_metrics()))
            assert outcome.outcome == "complete", outcome

    process = psutil.Process(engine.server().pid)
    before = process.cpu_times()
    started = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(slots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, after = time.perf_counter() - started, process.cpu_times()
    middle = len(configs) // 2
    return {
        "seconds": seconds,
        "trial_cpu": (sum(after) - sum(before)) / len(configs),
        "trial": sorted(walls)[middle],
        "in_the_trial": sorted(inside)[middle],
        "in_epochs": sorted(trained)[middle],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    trials = parser.parse_args().trials
    study = small_study(trials)
    configs = configurations(study, trials)
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder))
        prepared = prepare(study, home)
        before = measure(prepared.path, configs)
        server = TrialServer.start(home.logs / "trial-server.log")
        server.wait_ready()
        with LocalEngine(home, slots=2, server=server) as engine:
            ours = run_all(engine, home, prepared, configs, 2)
        after = measure(prepared.path, configs)
    limit = (before["seconds"] + after["seconds"]) / 2
    print(json.dumps({"before": before, "engine": ours, "after": after}, indent=1))
    cpu = (before["trial_cpu"] + after["trial_cpu"]) / 2
    print(f"share of the limit: {limit / ours['seconds']:.2f} by the clock, ", end="")
    print(f"{cpu / ours['trial_cpu']:.2f} by processor time")


if __name__ == "__main__":
    main()
