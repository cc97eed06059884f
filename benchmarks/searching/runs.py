"""Runs of a search library on a problem, and the committed cache of their results."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.searching.problems import Problem, evaluate

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CACHE = HERE.parent / "records" / "search.jsonl"
ROUNDS, BATCH = 16, 8
PACKAGES = {"skopt": "scikit-optimize", "optuna": "optuna", "hyperopt": "hyperopt", "hebo": "HEBO"}


@dataclass(frozen=True)
class Run:
    """One search: the incumbent's losses after each round."""

    peer: str
    version: str
    problem: str
    seed: int
    visible: list[float]
    """Best validation loss so far, after each round."""
    hidden: list[float]
    """Test loss of the configuration with that validation loss."""
    middle: tuple[float, float]
    """Median validation and test loss of all configurations."""
    seconds: float
    """Seconds spent in the library itself."""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Key in the cache."""
        return self.peer, self.version, self.problem, self.seed


def cached() -> dict[tuple[str, str, str, int], Run]:
    """All runs in the cache."""
    if not CACHE.exists():
        return {}
    runs = [Run(**json.loads(line)) for line in CACHE.read_text().splitlines()]
    return {run.key: run for run in runs}


def keep(run: Run) -> None:
    """Add a run to the cache."""
    with CACHE.open("a") as file:
        file.write(json.dumps(asdict(run)) + "\n")


def interpreter(peer: str, environments: Path) -> Path:
    """The Python of a peer: this one's for our own and scikit-optimize, else its environment's."""
    family = peer.split("-")[0]
    if family in ("dense", "random", "skopt"):
        return Path(sys.executable)
    name = "optuna-gp" if peer == "optuna-gp" else family
    return environments / name / "bin" / "python"


def version(peer: str, environments: Path) -> str:
    """Version of a peer's library; for our own, a fingerprint of what it suggests."""
    family = peer.split("-")[0]
    if family == "random":
        return "1"
    if family == "dense":
        return fingerprint()
    command = f"import importlib.metadata as m; print(m.version({PACKAGES[family]!r}))"
    return subprocess.check_output(
        [str(interpreter(peer, environments)), "-c", command], text=True
    ).strip()


@cache
def fingerprint() -> str:
    """Hash of our suggestions in six rounds: it changes only if the suggestions do."""
    from benchmarks.searching.timing import SPACE, loss
    from tasks.suggest import Optimizer

    optimizer, digest = Optimizer(SPACE, seed=0), hashlib.sha256()
    for _ in range(6):
        for suggestion in optimizer.ask(BATCH):
            digest.update(json.dumps(suggestion.values, sort_keys=True).encode())
            optimizer.tell(suggestion.number, loss(suggestion.values))
    return digest.hexdigest()[:8]


class Pipe:
    """A search library in a process of its own, with one linear-algebra thread."""

    def __init__(self, peer: str, environments: Path) -> None:
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        self._process = subprocess.Popen(
            [str(interpreter(peer, environments)), str(HERE / "peers.py"), peer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if os.environ.get("QUIET") else None,
            text=True,
            env={**os.environ, **threads, "PYTHONPATH": str(ROOT)},
        )

    def send(self, message: Mapping[str, object]) -> None:
        """Send one JSON line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict:
        """Receive one JSON line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the searcher ended early; see its error above")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def search(peer: str, problem: Problem, seed: int, environments: Path) -> Run:
    """One search: sixteen rounds of eight configurations."""
    pipe = Pipe(peer, environments)
    pipe.send({"space": problem.space, "seed": seed})
    losses: list[tuple[float, float]] = []
    visible, hidden, seconds = [], [], 0.0
    for _ in range(ROUNDS):
        pipe.send({"ask": BATCH})
        answer = pipe.receive()
        results = [evaluate(problem, values) for values in answer["values"]]
        pipe.send({"tell": [loss for loss, _ in results]})
        seconds += answer["seconds"] + pipe.receive()["seconds"]
        losses += results
        best = min(losses, key=lambda pair: pair[0])
        visible.append(round(best[0], 6))
        hidden.append(round(best[1], 6))
    pipe.close()
    middle = np.median(np.array(losses), axis=0)
    return Run(
        peer,
        version(peer, environments),
        problem.name,
        seed,
        visible,
        hidden,
        (round(float(middle[0]), 6), round(float(middle[1]), 6)),
        round(seconds, 3),
    )


def latest(runs: Iterable[Run]) -> list[Run]:
    """The runs of each library's latest version in the cache."""
    kept: dict[str, str] = {}
    runs = list(runs)
    for run in runs:
        kept[run.peer] = run.version
    return [run for run in runs if run.version == kept[run.peer]]
