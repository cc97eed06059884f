"""Epochs and seconds until a study reaches the best loss of a long random search.

    python -m benchmarks.time_to_target [--seeds 0 1 2 3 4] [--peers dense optuna ray]

The target is the best validation log loss of a random search over 100 trials with all epochs.
Compared are ours (Bayesian with rungs, the real command with its full record), Optuna (TPE and the
Hyperband pruner, two processes) and Ray Tune (ASHA, two actors), on a small network for the digits,
two trials at a time, each with as many epochs as random search had. The target is a loss rather
than an accuracy, because with 359 rows the best accuracies differ by one row.

The clock runs from the start of the first training; `cold` counts from the command. The curves of
random search are stored in `records/random_search.json`; `--environments DIR` is that of
`throughput`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.peers import Job
from benchmarks.shared import (
    RECORDS,
    load_split,
    peer_python,
    plain_loop,
    start_dense,
    start_peer,
)
from conf.loading.digests import derived_seed
from conf.loading.trial_values import apply_values
from conf.runtime.home import Home
from conf.schema.study import Study
from data.card import DataCard
from tasks.prepare import prepare
from tasks.report.reproduce import as_yaml
from tasks.suggest.optimizer import Optimizer

TRIALS, EPOCHS, SLOTS = 100, 18, 2
WHOLE = TRIALS * EPOCHS
"""Epochs of random search, and the most that a tuner may train."""
CURVES = RECORDS / "random_search.json"
Found = dict[str, Any]


def a_study(seed: int) -> Study:
    """The task."""
    return Study.model_validate(
        {
            "name": f"target-{seed}",
            "seed": seed,
            "data": {"source": "builtin", "name": "digits"},
            "model": {"kind": "cnn", "width": 8},
            "train": {"epochs": EPOCHS, "batch_size": 64},
            "evaluate": {"objective": "log_loss", "metrics": ["accuracy", "log_loss"]},
            "search": {
                "strategy": "bayes",
                "trials": WHOLE,
                "rungs": {"first": 1, "factor": 3},
                "space": {
                    "train.lr": {"low": 1e-4, "high": 1e-1, "scale": "log"},
                    "train.weight_decay": {"low": 1e-6, "high": 1e-2, "scale": "log"},
                    "train.batch_size": {"choices": [32, 64, 128]},
                    "model.width": {"low": 4, "high": 12, "type": "int"},
                    "model.dropout": {"low": 0.0, "high": 0.5},
                },
            },
            "resources": {"slots": SLOTS},
            "champion": {"enabled": False},
        }
    )


# Random search: every trial to its last epoch, as plain loops


def random_search(seed: int, path: Path) -> list[list[float]]:
    """Log loss of every epoch of every trial, with the sign turned: more is better."""
    study = a_study(seed)
    space = study.model_dump(mode="json")["search"]["space"]
    asked = Optimizer(space, strategy="random", seed=derived_seed(seed, "random")).ask(TRIALS)
    trials = [(study, number, each.values, path) for number, each in enumerate(asked)]
    with multiprocessing.get_context("spawn").Pool(SLOTS) as pool:
        return pool.starmap(curve, trials, chunksize=5)


def curve(study: Study, number: int, values: dict[str, Any], path: Path) -> list[float]:
    """One trial's epochs."""
    import torch

    torch.set_num_threads(1)
    config = apply_values(study.trial_config, values)
    card = DataCard.read(path / "card.json")
    train, validation = (
        load_split(path / "parts" / name, card) for name in ("train", "validation")
    )
    return plain_loop(config, card, train, validation, derived_seed(study.seed, "random", number))


def target_of(seed: int, path: Path) -> tuple[float, int]:
    """The best epoch of random search, and after how many epochs it had it itself."""
    known = json.loads(CURVES.read_text()) if CURVES.exists() else {}
    if str(seed) not in known:
        curves = random_search(seed, path)
        known[str(seed)] = [[round(value, 6) for value in each] for each in curves]
        CURVES.write_text(json.dumps(known))
    curves = known[str(seed)]
    best = max(map(max, curves))
    whole = next(n for n, each in enumerate(curves) if max(each) >= best - 1e-5)
    return best - 1e-5, whole * EPOCHS + int(np.argmax(curves[whole])) + 1


# The others, until they have it


def follow(
    command: subprocess.Popen[bytes], lines: Callable[[], Iterable[Found]], target: float
) -> Found:
    """Wait until an epoch has the target, or the epochs are spent; then end the command.

    `lines` gives what epochs there are so far, with their time, value and the trial's begin.
    """
    over = False
    while not over:
        ended = command.poll() is not None
        found = list(lines())
        over = ended or len(found) >= WHOLE or any(line["value"] >= target for line in found)
        time.sleep(0.2)
    end_all(command)
    epochs = sorted(lines(), key=lambda line: line["time"])[:WHOLE]
    if not epochs:
        raise SystemExit("no epoch was trained; the command's output says why")
    hit = next((n for n, line in enumerate(epochs) if line["value"] >= target), None)
    last = epochs[-1 if hit is None else hit]
    return {
        "reached": hit is not None,
        "epochs": len(epochs) if hit is None else hit + 1,
        "seconds": last["time"] - min(line["begun"] for line in epochs),
        "best": max(line["value"] for line in epochs),
        "time": last["time"],
    }


def end_all(command: subprocess.Popen[bytes]) -> None:
    """Kill a command and what it started."""
    try:
        family = psutil.Process(command.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    command.kill()
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    command.wait()


def ours(study: Study, folder: Path, target: float) -> Found:
    """The real command."""
    home = Home.open(folder / "home")
    path = home.path / "target.yaml"
    path.write_text(as_yaml(study))
    begun = time.time()
    command = start_dense(home.path, "run", str(path), quiet=True)

    def lines() -> list[Found]:
        files = home.trials(study.name).glob("[0-9]*/metrics.jsonl")
        read = [line for file in files for line in file.read_text().splitlines(keepends=True)]
        found = [json.loads(line) for line in read if line.endswith("\n")]
        return [
            {
                "time": line["time"],
                "begun": line["time"] - line["seconds"],
                "value": -line["metrics"]["val/log_loss"],
            }
            for line in found
        ]

    found = follow(command, lines, target)
    return found | {"cold": found["time"] - begun}


def a_peer(peer: str, python: str, study: Study, path: Path, folder: Path, target: float) -> Found:
    """Optuna or Ray Tune."""
    events = folder / f"{peer}.jsonl"
    job = Job(study.model_dump(mode="json"), str(path), str(events), WHOLE)
    events.with_suffix(".job.json").write_text(json.dumps(asdict(job)))
    begun = time.time()
    command = start_peer(python, peer, events.with_suffix(".job.json"))

    def lines() -> list[Found]:
        read = events.read_text().splitlines(keepends=True) if events.exists() else []
        found = [json.loads(line) for line in read if line.endswith("\n")]
        begins = [line["time"] for line in found if line["what"] == "begin"]
        return [{**line, "begun": begins[0]} for line in found if line["what"] == "epoch"]

    found = follow(command, lines, target)
    return found | {"cold": found["time"] - begun}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--peers", nargs="*", default=["dense", "optuna", "ray"])
    parser.add_argument("--environments", type=Path)
    given = parser.parse_args()
    python = peer_python(given.environments)
    rows: dict[str, list[Found]] = {peer: [] for peer in given.peers}
    for seed in given.seeds:
        study = a_study(seed)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = prepare(study, Home.open(folder / "home")).path
            target, own = target_of(seed, path)
            print(f"seed {seed}: target {target:.4f}, random had it after {own} epochs", flush=True)
            for peer in given.peers:
                if peer == "dense":
                    found = ours(study, folder, target)
                else:
                    found = a_peer(peer, python, study, path, folder, target)
                rows[peer].append(found)
                print(f"  {peer}: {json.dumps(found)}", flush=True)
    print("| tuner | reached | epochs, median | share of random's | seconds, median | cold |")
    print("|---|---|---|---|---|---|")
    for peer, found in rows.items():
        epochs = statistics.median(each["epochs"] for each in found)
        seconds, cold = (statistics.median(each[key] for each in found) for key in TIMES)
        hits = f"{sum(each['reached'] for each in found)} of {len(found)}"
        share = f"{epochs / WHOLE:.2f}"
        print(f"| {peer} | {hits} | {epochs:.0f} | {share} | {seconds:.0f} | {cold:.0f} |")


TIMES = ("seconds", "cold")


if __name__ == "__main__":
    main()
