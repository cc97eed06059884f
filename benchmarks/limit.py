"""The limit of throughput: the trainings of a study as plain PyTorch loops in warm processes.

    python -m benchmarks.limit [--trials 40]

Everything is imported and the data is in memory; there is no Lightning, no record and no file.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.shared import load_split, plain_loop
from conf.loading.digests import derived_seed
from conf.runtime.home import Home
from conf.schema.study import Study, TrialConfig
from data.card import DataCard


def small_study(trials: int = 40) -> Study:
    """The study of the throughput measurement: small trials of five epochs."""
    return Study.model_validate(
        {
            "name": "throughput",
            "data": {"source": "builtin", "name": "digits"},
            "model": {"kind": "cnn", "width": 32, "dropout": 0.1},
            "train": {"epochs": 5, "batch_size": 64},
            "search": {
                "strategy": "random",
                "trials": trials,
                "space": {"train.lr": {"low": 1e-4, "high": 1e-2, "scale": "log"}},
            },
        }
    )


def configurations(study: Study, trials: int) -> list[TrialConfig]:
    """The configurations that every candidate trains."""
    draws = np.random.default_rng(study.seed).uniform(-4.0, -2.0, size=trials)
    base = study.trial_config
    return [
        base.model_copy(update={"train": base.train.model_copy(update={"lr": float(10.0**draw)})})
        for draw in draws
    ]


def work(pipe: Connection, prepared: Path) -> None:
    """A warm process: report that it is ready, then train the configurations that are sent."""
    import torch

    torch.set_num_threads(1)
    card = DataCard.read(prepared / "card.json")
    train, validation = (
        load_split(prepared / "parts" / name, card) for name in ("train", "validation")
    )
    plain_loop(TrialConfig.model_validate(pipe.recv()), card, train, validation, 0)
    pipe.send("ready")
    for number, config in pipe.recv():
        started, worked = time.perf_counter(), time.process_time()
        best = max(plain_loop(config, card, train, validation, derived_seed(0, number)))
        seconds, cpu = time.perf_counter() - started, time.process_time() - worked
        pipe.send((number, best, seconds, cpu))
    pipe.send(None)


def measure(prepared: Path, configs: Sequence[TrialConfig], processes: int = 2) -> dict[str, float]:
    """Seconds from the first training to the last, and of one training."""
    context = multiprocessing.get_context("spawn")
    pipes, workers = [], []
    for _ in range(processes):
        ours, theirs = context.Pipe()
        workers.append(context.Process(target=work, args=(theirs, prepared)))
        workers[-1].start()
        ours.send(configs[0].model_dump())
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    started = time.perf_counter()
    for index, pipe in enumerate(pipes):
        pipe.send(list(enumerate(configs))[index::processes])
    each = []
    for pipe in pipes:
        while (answer := pipe.recv()) is not None:
            each.append(answer[2:])
    seconds = time.perf_counter() - started
    for worker in workers:
        worker.join()
    trial, cpu = np.median(np.array(each), axis=0)
    return {"seconds": seconds, "trial": float(trial), "trial_cpu": float(cpu)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    trials = parser.parse_args().trials
    from tasks.prepare import prepare

    study = small_study(trials)
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(study, Home.open(Path(folder)))
        print(json.dumps(measure(prepared.path, configurations(study, trials))))


if __name__ == "__main__":
    main()
