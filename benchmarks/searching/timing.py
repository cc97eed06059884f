"""Seconds of one batch of eight in a mixed space of eight settings, on one thread.

Processor seconds, since machines are shared.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tasks.suggest import Observation, Optimizer, Problem, propose

SPACE: dict[str, Any] = {
    "rate": {"low": 1e-5, "high": 1e-1, "scale": "log"},
    "width": {"low": 16, "high": 256, "type": "int"},
    "drop": {"low": 0.0, "high": 0.5},
    "kind": {"choices": ["a", "b", "c"]},
    "mix": {"low": 0.1, "high": 0.9},
    "batch": {"choices": [32, 64, 128]},
    "shift": {"low": 0.0, "high": 1.0},
    "norm": {"choices": [True, False]},
}
SIZES = (100, 200, 400, 1000, 2000)
STUDIES = 7


def loss(values: dict[str, Any]) -> float:
    """Smooth, with a ripple and some noise that is a function of the values."""
    kind = {"a": 1.0, "b": 0.2, "c": 0.5}[values["kind"]]
    valley = (math.log10(values["rate"]) + 3) ** 2 + abs(values["width"] - 96) / 80
    ripple = 0.1 * math.sin(20 * values["shift"]) + 0.05 * math.sin(1e4 * values["drop"])
    return valley + kind + values["drop"] + (values["mix"] - 0.4) ** 2 + values["norm"] + ripple


def observed(count: int) -> list[Observation]:
    """Random configurations with their losses."""
    asked = Optimizer(SPACE, seed=1, strategy="random").ask(count)
    return [Observation(s.number, s.values, loss(s.values)) for s in asked]


def ours(count: int) -> float:
    """Processor seconds of `propose`, hyper-parameters carried from the batch before.

    The median over studies that differ in their seed: how many picks are the model's is drawn.
    """
    results = observed(count)
    spent = []
    for seed in range(STUDIES):
        step = Problem.of(SPACE, seed=seed, first=count - 8, observations=results[:-8])
        state = propose(step, 8).state
        began = time.process_time()
        propose(Problem.of(SPACE, seed=seed, first=count, observations=results, state=state), 8)
        spent.append(time.process_time() - began)
    return float(np.median(spent))


def skopts(count: int) -> float:
    """Processor seconds of scikit-optimize's `ask(8)` after a tell of everything (not counted)."""
    from skopt import Optimizer as Skopt
    from skopt.space import Categorical, Integer, Real

    dimensions = [
        Real(1e-5, 1e-1, prior="log-uniform"),
        Integer(16, 256),
        Real(0.0, 0.5),
        Categorical(["a", "b", "c"]),
        Real(0.1, 0.9),
        Categorical([32, 64, 128]),
        Real(0.0, 1.0),
        Categorical([True, False]),
    ]
    results = observed(count)
    optimizer = Skopt(dimensions, n_initial_points=8, random_state=0)
    optimizer.tell(
        [[o.values[k] for k in SPACE] for o in results], [loss(dict(o.values)) for o in results]
    )
    began = time.process_time()
    optimizer.ask(n_points=8)
    return time.process_time() - began


def table(skopt_sizes: Sequence[int] = (100,)) -> str:
    """Seconds of both libraries as a Markdown table."""
    lines = ["| observations | ours (s) | scikit-optimize ask(8) (s) |", "|---|---|---|"]
    with threadpool_limits(1), np.errstate(all="ignore"):
        for size in SIZES:
            theirs = f"{skopts(size):.1f}" if size in skopt_sizes else ""
            lines.append(f"| {size} | {ours(size):.2f} | {theirs} |")
            print(lines[-1], flush=True)
    return "\n".join(lines)
