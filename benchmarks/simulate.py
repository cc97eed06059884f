"""A simulated study of 100,000 trials on 1,000 slots.

    python -m benchmarks.simulate [--trials 100000] [--slots 1000] [--strategy bayes]

Uses the real journal lines, fold, policy and, with `--strategy`, the real search, with a simulated
clock and trials that are arithmetic (`tests.unit.study.simulation`). Prints the driver's processor
time per journal line, early and late, the time of a batch of suggestions, the size of the journal,
and the time to read it again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from itertools import pairwise

import psutil

from conf.loading.digests import canonical_json
from tasks.study.event_builders import asked_event, observations, pending
from tasks.study.events import Asked, Event, decode
from tasks.study.replay import fold
from tasks.study.state import State
from tasks.suggest.problem import Problem
from tasks.suggest.propose import propose
from tests.unit.study.simulation import World, a_study, blind, run

SPACE = {
    "train.lr": {"low": 1e-5, "high": 1e-1, "scale": "log"},
    "train.weight_decay": {"low": 1e-6, "high": 1e-2, "scale": "log"},
    "model.dropout": {"low": 0.0, "high": 0.5},
    "model.width": {"low": 16, "high": 512, "type": "int", "scale": "log"},
    "train.batch_size": {"choices": [32, 64, 128, 256]},
}
MARK = 5_000
"""Lines between two looks at the clock."""


class Timed(World):
    """A world that notes the processor time as its journal grows."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.marks = [(0, time.process_time())]

    def write(self, event: Event) -> None:
        """Append a line, and look at the clock now and then."""
        super().write(event)
        if self.written - self.marks[-1][0] >= MARK:
            self.mark()

    def mark(self) -> None:
        """Look at the clock."""
        self.marks.append((self.written, time.process_time()))


class Search:
    """The real search as a proposer; remembers what its batches cost."""

    def __init__(self, strategy: str) -> None:
        self._strategy = strategy
        self.costs: list[tuple[int, int, float]] = []
        """Observations, suggestions, processor seconds."""

    def __call__(self, state: State, count: int) -> Asked:
        begun, known = time.process_time(), observations(state)
        problem = Problem.of(
            SPACE,
            first=state.asked,
            direction="maximize",
            observations=known,
            pending=pending(state),
            state=state.memory,
        )
        proposal = propose(problem, count, strategy=self._strategy)  # type: ignore[arg-type]
        spent = time.process_time() - begun
        self.costs.append((len(known), count, spent))
        return asked_event(state, proposal, digest, 0.0)


def digest(values: object) -> str:
    """A name for a configuration."""
    return hashlib.sha256(canonical_json(values).encode()).hexdigest()


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of something."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def pace(marks: list[tuple[int, float]], searching: float) -> tuple[float, float]:
    """Microseconds a line in the first and the last stretch; overall where a search is in between,
    whose seconds are not counted."""
    if searching:
        lines, spent = marks[-1][0] - marks[0][0], marks[-1][1] - marks[0][1]
        return ((spent - searching) / lines * 1e6,) * 2
    each = [
        (late[1] - early[1]) / (late[0] - early[0]) * 1e6
        for early, late in pairwise(marks)
        if late[0] > early[0]
    ]
    return each[0], each[-1]


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--slots", type=int, default=1_000)
    parser.add_argument("--strategy", help="propose with this; else from numbers alone")
    given = parser.parse_args()
    search = Search(given.strategy) if given.strategy else None
    world = Timed(a_study(given.trials, epochs=3, batch_size=given.slots))
    process = psutil.Process()
    before = process.memory_info().rss
    _, state = run(world, slots=given.slots, propose=search or blind)
    world.mark()
    held = process.memory_info().rss - before
    assert state.count("complete") == given.trials
    first, last = pace(world.marks, sum(spent for *_, spent in search.costs) if search else 0.0)
    content = bytes(world.content)
    found = {
        "trials": given.trials,
        "slots": given.slots,
        "lines": world.written,
        "microseconds_a_line": {"first": round(first), "last": round(last)},
        "journal_mb": round(len(content) / 1e6, 1),
        "memory_mb_with_the_journal": round(held / 1e6),
        "read_again_seconds": round(
            seconds(lambda: fold(map(decode, content.split(b"\n")[:-1]), "maximize")), 1
        ),
    }
    if search:
        found["batches (observations, suggestions, seconds)"] = [
            [known, count, round(spent, 2)] for known, count, spent in search.costs
        ]
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
