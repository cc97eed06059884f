"""Results of a made-up quantity over a small mixed space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tasks.suggest import Problem, Proposal, propose
from tasks.suggest.space.space import Space
from tasks.suggest.types import StrategyName, Values

SPACE = Space(
    {
        "m.a": {"low": 1e-4, "high": 1.0, "scale": "log"},
        "m.b": {"low": 1, "high": 9, "type": "int"},
        "m.c": {"choices": ["x", "y"]},
        "m.d": {"low": 0.0, "high": 1.0, "when": {"m.c": "x"}},
    }
)


def results(
    count: int, loss: Callable[[dict[str, Any]], float], seed: int = 0
) -> list[tuple[dict[str, Any], float]]:
    """Random configurations with their losses."""
    rows = SPACE.snap(np.random.default_rng(seed).random((count, len(SPACE))))
    return [(SPACE.decode(row), float(loss(SPACE.decode(row)))) for row in rows]


def proposed(
    space: dict[str, Any],
    *,
    count: int,
    strategy: StrategyName = "bayes",
    enqueued: Sequence[Values] = (),
    **record: Any,
) -> Proposal:
    """The proposal of a record, whose parts are those of `Problem.of`."""
    problem = Problem.of(space, **record)
    return propose(problem, count, strategy=strategy, enqueued=enqueued)
