"""python -m benchmarks.limit [--trials 40]

The bare limit of a throughput measurement: the trainings of a study as plain PyTorch loops, in warm
processes that have everything imported and the data in memory. No Lightning, no record, no files.
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
from typing import Any

import numpy as np

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
    """The same configurations for whoever is measured."""
    draws = np.random.default_rng(study.seed).uniform(-4.0, -2.0, size=trials)
    base = study.trial_config
    return [
        base.model_copy(update={"train": base.train.model_copy(update={"lr": float(10.0**draw)})})
        for draw in draws
    ]


def plain_loop(config: TrialConfig, card: DataCard, parts: tuple, seed: int) -> list[float]:
    """One training; how good every epoch is on the validation part."""
    import torch
    from torch.nn import functional

    from models import build_net
    from models.optimizers import build_optimizer, build_schedule

    (x, y), (x_val, y_val) = parts
    size, epochs = config.train.batch_size, config.train.epochs
    torch.manual_seed(seed)
    net = build_net(config, card)
    optimizer = build_optimizer(config.train, net.parameters())
    schedule = build_schedule(config.train, optimizer, -(-len(x) // size) * epochs)
    found = []
    for _ in range(epochs):
        net.train()
        for rows in torch.randperm(len(x)).split(size):
            optimizer.zero_grad()
            functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
        net.eval()
        with torch.no_grad():
            said = [net(x_val[at : at + 256]).softmax(1) for at in range(0, len(x_val), 256)]
        found.append(quality(config.evaluate.objective, torch.cat(said), y_val))
    return found


def quality(objective: str, probabilities: Any, targets: Any) -> float:
    """Of predictions: their accuracy, or their log loss with the sign turned; more is better.

    `probabilities`: a tensor of rows by classes; `targets`: one of class numbers.
    """
    if objective == "accuracy":
        return (probabilities.argmax(1) == targets).float().mean().item()
    assert objective == "log_loss"
    return probabilities.gather(1, targets[:, None]).clamp_min(1e-15).log().mean().item()


def load(path: Path, card: DataCard) -> tuple:
    """A part as two tensors."""
    from data.loading.eval_loader import split_loader

    batch = next(iter(split_loader(card, path, batch_size=100_000)))
    return batch["x"], batch["y"]


def work(pipe: Connection, prepared: Path) -> None:
    """A warm process: says that it is ready, then trains what it is sent."""
    import torch

    torch.set_num_threads(1)
    card = DataCard.read(prepared / "card.json")
    parts = tuple(load(prepared / "parts" / name, card) for name in ("train", "validation"))
    plain_loop(TrialConfig.model_validate(pipe.recv()), card, parts, 0)
    pipe.send("ready")
    for number, config in pipe.recv():
        started, worked = time.perf_counter(), time.process_time()
        best = max(plain_loop(config, card, parts, derived_seed(0, number)))
        seconds, cpu = time.perf_counter() - started, time.process_time() - worked
        pipe.send((number, best, seconds, cpu))
    pipe.send(None)


def measure(prepared: Path, configs: Sequence[TrialConfig], processes: int = 2) -> dict:
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    trials = parser.parse_args().trials
    from tasks.prepare import prepare

    study = small_study(trials)
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(study, Home.open(Path(folder)))
        print(json.dumps(measure(prepared.path, configurations(study, trials))))


if __name__ == "__main__":
    main()
