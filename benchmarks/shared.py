"""What several benchmarks share: plain PyTorch training loops, clocks, and the real command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.schema.study import TrialConfig
from data.card import DataCard

if TYPE_CHECKING:
    from torch import Tensor

RECORDS = Path(__file__).with_name("records")
"""Results of runs that are too long to repeat, one file per benchmark."""
Split = tuple["Tensor", "Tensor"]
"""Inputs and targets."""


def load_split(path: Path, card: DataCard) -> Split:
    """A prepared split as two tensors."""
    from data.loading.eval_loader import split_loader

    batch = next(iter(split_loader(card, path, batch_size=100_000)))
    return batch["x"], batch["y"]


def plain_loop(
    config: TrialConfig, card: DataCard, train: Split, validation: Split, seed: int
) -> list[float]:
    """Train a configuration without Lightning; the validation objective of every epoch."""
    import torch
    from torch.nn import functional

    from models import build_net
    from models.optimizers import build_optimizer, build_schedule

    (x, y), (x_validation, y_validation) = train, validation
    size, epochs = config.train.batch_size, config.train.epochs
    torch.manual_seed(seed)
    net = build_net(config, card)
    optimizer = build_optimizer(config.train, net.parameters())
    schedule = build_schedule(config.train, optimizer, -(-len(x) // size) * epochs)
    objectives = []
    for _ in range(epochs):
        net.train()
        for rows in torch.randperm(len(x)).split(size):
            optimizer.zero_grad()
            functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
        net.eval()
        with torch.no_grad():
            probabilities = torch.cat([net(batch).softmax(1) for batch in x_validation.split(256)])
        objectives.append(objective(config.evaluate.objective, probabilities, y_validation))
    return objectives


def objective(name: str, probabilities: Any, targets: Any) -> float:
    """Accuracy, or the negative log loss: larger is better.

    Args:
        name: `accuracy` or `log_loss`.
        probabilities: tensor of shape (rows, classes).
        targets: tensor of class numbers, shape (rows,).
    """
    if name == "accuracy":
        return (probabilities.argmax(1) == targets).float().mean().item()
    assert name == "log_loss"
    return probabilities.gather(1, targets[:, None]).clamp_min(1e-15).log().mean().item()


def wall_seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor seconds of a call in this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


def start_dense(home: Path, *arguments: str, quiet: bool = False) -> subprocess.Popen[bytes]:
    """Start `dense ARGUMENTS` with a home of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", *arguments],
        env={**os.environ, "DENSE_HOME": str(home)},
        stdout=subprocess.DEVNULL if quiet else None,
    )


def run_dense(home: Path, *arguments: str) -> None:
    """Run `dense ARGUMENTS` without its output.

    Raises:
        SystemExit: it failed.
    """
    if code := start_dense(home, *arguments, quiet=True).wait():
        raise SystemExit(f"dense {' '.join(arguments)} ended with exit code {code}")


def start_peer(python: str, peer: str, job: Path) -> subprocess.Popen[bytes]:
    """Start `benchmarks.peers PEER JOB` in the environment in which the peer is installed."""
    return subprocess.Popen(
        [python, "-m", "benchmarks.peers", peer, str(job)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )


def peer_python(environments: Path | None) -> str:
    """The Python with the peers: of the folder `tune` in `environments`, else this one."""
    return sys.executable if environments is None else str(environments / "tune" / "bin" / "python")
