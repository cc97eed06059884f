"""How often the selected trial is not the best configuration, with and without a re-test.

    python -m benchmarks.retest [--trials 60] [--seeds 9] [--table retest.json]

Every configuration is trained on many seeds, which gives its true mean. Then the selection of a
champion is replayed many times: one seed of each configuration plays the search, the re-test takes
the others. README.md in this folder has the figures.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import torch

from conf.loading.digests import derived_seed
from conf.loading.trial_values import apply_values
from conf.runtime.home import Home
from conf.schema.study import Study
from data.loading.datamodule import StudyData
from models import build
from tasks.champion.retest import compare
from tasks.packaging.records import RetestEntry
from tasks.prepare import prepare

SPACE = {
    "train.lr": {"low": 1e-3, "high": 3e-2, "scale": "log"},
    "train.weight_decay": {"low": 1e-6, "high": 1e-1, "scale": "log"},
    "model.width": {"low": 8, "high": 16, "type": "int"},
    "model.dropout": {"low": 0.0, "high": 0.5},
}
STUDY = {
    "name": "retest-benchmark",
    "train": {"epochs": 4, "batch_size": 64},
    "model": {"kind": "cnn", "width": 8},
    "search": {"space": SPACE},
}


def drawn(number: int) -> dict[str, float]:
    """A configuration of the region where a search ends up: all are good; that is the point."""
    chance = random.Random(number)
    return {
        "train.lr": 10 ** chance.uniform(-2.6, -1.6),
        "train.weight_decay": 10 ** chance.uniform(-6, -2),
        "model.width": chance.randint(8, 16),
        "model.dropout": chance.uniform(0.0, 0.3),
    }


def trained(study: Study, number: int, seed: int, prepared: object) -> tuple[float, int]:
    """Validation accuracy and size of one configuration on one seed, by a bare loop."""
    config = apply_values(study.trial_config, drawn(number))
    card = prepared.card  # type: ignore[attr-defined]
    data = StudyData(config, card, prepared.train, prepared.validation, seed)  # type: ignore[attr-defined]
    torch.manual_seed(seed)
    steps = -(-data.train_rows // config.train.batch_size) * config.train.epochs
    module = build(config, card, steps)
    plan = module.configure_optimizers()
    best, loader = 0.0, data.train_dataloader()
    for epoch in range(config.train.epochs):
        module.train()
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            loss = torch.nn.functional.cross_entropy(module.net(batch["x"]), batch["y"])
            plan["optimizer"].zero_grad()
            loss.backward()
            plan["optimizer"].step()
            plan["lr_scheduler"]["scheduler"].step()
        module.eval()
        with torch.no_grad():
            said = [
                (module.net(b["x"]).argmax(1) == b["y"]).double() for b in data.val_dataloader()
            ]
        best = max(best, float(torch.cat(said).mean()))
    return best, sum(p.numel() for p in module.parameters())


def table(trials: int, seeds: int, path: Path) -> tuple[np.ndarray, list[int]]:
    """Validation accuracy of every (configuration, seed), and sizes; kept in a file."""
    known = json.loads(path.read_text()) if path.exists() else {"values": [], "sizes": []}
    study = Study.model_validate(STUDY)
    prepared = prepare(study, Home.open())
    start = time.time()
    for number in range(len(known["values"]), trials):
        runs = [trained(study, number, derived_seed("retest", s), prepared) for s in range(seeds)]
        known["values"].append([value for value, _ in runs])
        known["sizes"].append(runs[0][1])
        path.write_text(json.dumps(known))
        print(f"{number + 1}/{trials} in {time.time() - start:.0f} s", flush=True)
    return np.array(known["values"])[:trials, :seeds], known["sizes"][:trials]


def replayed(
    values: np.ndarray, sizes: list[int], *, best: int, repeats: int, alpha: float, times: int
) -> dict[str, float]:
    """Chances of not choosing the truly best configuration, and what that costs in accuracy."""
    chance = np.random.default_rng(0)
    wrong, lost = {"plain": 0, "retest": 0}, {"plain": 0.0, "retest": 0.0}
    for _ in range(times):
        order = chance.permutation(values.shape[1])
        search, fresh, truth = order[0], order[1 : 1 + repeats], order[1 + repeats :]
        means = values[:, truth].mean(axis=1)
        ranked = np.argsort(-values[:, search], kind="stable")
        entries = [
            RetestEntry(
                number=int(n), values=tuple(values[n, fresh]), epochs=(1,), parameters=sizes[n]
            )
            for n in ranked[:best]
        ]
        chosen = compare(entries, direction="maximize", alpha=alpha).chosen
        for name, number in (("plain", int(ranked[0])), ("retest", chosen)):
            wrong[name] += means[number] < means.max()
            lost[name] += means.max() - means[number]
    return {
        **{f"{name} not best": wrong[name] / times for name in wrong},
        **{f"{name} accuracy lost": lost[name] / times for name in lost},
    }


def main() -> None:
    """Train the table if need be, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=9)
    parser.add_argument("--table", type=Path, default=Path("retest.json"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    values, sizes = table(given.trials, given.seeds, given.table)
    between, within = values.mean(1).std(), values.std(1).mean()
    print(f"{values.shape}, spread between {between:.4f}, within {within:.4f}")
    for best in (3, 5, 10):
        for alpha in (0.05, 0.2, 0.4):
            found = replayed(values, sizes, best=best, repeats=3, alpha=alpha, times=1000)
            print(best, alpha, {name: round(float(value), 4) for name, value in found.items()})


if __name__ == "__main__":
    main()
