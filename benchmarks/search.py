"""Search quality compared with other libraries: tuning of scikit-learn models, 16 rounds of 8.

    python -m benchmarks.search --peers dense random skopt-gp --seeds 3 [--problems GROUP]
    python -m benchmarks.search                  # report on the cached runs
    python -m benchmarks.search --time           # seconds per batch

Each library runs in its own environment (a folder in `--environments`) and is driven through a
pipe. Runs are cached as JSON lines and never repeated. README.md in this folder has the results.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from benchmarks.searching import timing
from benchmarks.searching.problems import (
    HELD_OUT,
    MORE_HELD_OUT,
    MORE_TUNED_ON,
    SYNTHETIC,
    TUNED_ON,
    Problem,
)
from benchmarks.searching.report import report
from benchmarks.searching.runs import cached, keep, latest, search, version

GROUPS: dict[str, tuple[Problem, ...]] = {
    "tuned": TUNED_ON,
    "held": HELD_OUT,
    "further": MORE_HELD_OUT,
    "all-held": HELD_OUT + MORE_HELD_OUT,
    "synthetic": SYNTHETIC,
    "all": TUNED_ON + HELD_OUT + MORE_TUNED_ON + MORE_HELD_OUT + SYNTHETIC,
}


def missing(peers: list[str], names: list[str], seeds: int, environments: Path) -> list[tuple]:
    """Runs that are not cached, ordered by seed, so that an interrupted benchmark is balanced."""
    known = cached()
    versions = {peer: version(peer, environments) for peer in peers}
    return [
        (peer, problem, seed, environments)
        for seed in range(seeds)
        for problem in GROUPS["all"]
        if problem.name in names
        for peer in peers
        if (peer, versions[peer], problem.name, seed) not in known
    ]


def main() -> None:
    """Run what is not cached, then print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", nargs="*", default=[])
    parser.add_argument("--problems", choices=GROUPS, default="all")
    parser.add_argument("--only", nargs="*", help="names of problems")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--environments", type=Path, default=Path(".peers"))
    parser.add_argument("--time", action="store_true", help="only time batches")
    given = parser.parse_args()
    if given.time:
        print(timing.table())
        return
    names = given.only or [problem.name for problem in GROUPS[given.problems]]
    tasks = missing(given.peers, names, given.seeds, given.environments)
    print(f"{len(tasks)} runs to do", flush=True)
    with ProcessPoolExecutor(given.workers) as pool:
        for done in as_completed([pool.submit(search, *task) for task in tasks]):
            keep(done.result())
    for name, group in GROUPS.items():
        print(report(latest(cached().values()), [problem.name for problem in group], name))


if __name__ == "__main__":
    main()
