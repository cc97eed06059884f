"""Scores as the NeurIPS-2020 challenge counted them, and paired differences with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.searching.runs import Run

RESAMPLES = 10_000
OURS = "dense"


def scores(runs: Sequence[Run], problems: Sequence[str], kind: str, turn: int) -> dict:
    """100 x (1 - normalised loss) after a round, by (peer, problem, seed).

    0 is the median configuration drawn at random, 100 the best of all libraries. `kind` is
    `visible` or `hidden`.
    """
    out: dict[tuple[str, str, int], float] = {}
    for problem in problems:
        here = [run for run in runs if run.problem == problem]
        drawn = [run.middle[kind == "hidden"] for run in here if run.peer == "random"]
        if not drawn:
            continue
        ceiling = float(np.median(drawn))
        floor = min(min(getattr(run, kind)) for run in here)
        for run in here:
            loss = min(getattr(run, kind)[turn], ceiling)
            share = (loss - floor) / max(ceiling - floor, 1e-12)
            out[run.peer, problem, run.seed] = 100.0 * (1.0 - share)
    return out


def shared(table: dict, peer: str) -> list[np.ndarray]:
    """Our score minus the peer's: for each problem, an array over the seeds that both have."""
    differences: dict[str, list[float]] = {}
    for (name, problem, seed), score in table.items():
        if name == peer and (OURS, problem, seed) in table:
            differences.setdefault(problem, []).append(table[OURS, problem, seed] - score)
    return [np.array(values) for values in differences.values()]


def interval(groups: Sequence[np.ndarray], *, other_problems: bool) -> tuple[float, float]:
    """95 % of the mean over problems of the mean over seeds, by drawing with replacement.

    With `other_problems` problems are drawn, then seeds within each: about other problems of this
    kind. Without, seeds alone: about these very problems.
    """
    generator = np.random.default_rng(0)
    by_seed = np.array(
        [g[generator.integers(len(g), size=(RESAMPLES, len(g)))].mean(axis=1) for g in groups]
    )
    means = by_seed.mean(axis=0)
    if other_problems:
        turns = np.arange(RESAMPLES)
        slots = [
            by_seed[generator.integers(len(groups), size=RESAMPLES), (turns + slot) % RESAMPLES]
            for slot in range(len(groups))
        ]
        means = np.mean(slots, axis=0)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def compared(table: dict, peer: str) -> str:
    """Two cells: the difference with its interval over problems and over seeds, and how many."""
    groups = shared(table, peer)
    if peer == OURS or not groups:
        return " | "
    low, high = interval(groups, other_problems=True)
    least, most = interval(groups, other_problems=False)
    gap, count = float(np.mean([np.mean(group) for group in groups])), sum(map(len, groups))
    several = f"{least:+.2f} to {most:+.2f}" if min(map(len, groups)) > 1 else ""
    return f"{gap:+.2f} ({low:+.2f} to {high:+.2f}), n = {count} | {several}"


def report(runs: Sequence[Run], problems: Sequence[str], title: str) -> str:
    """The scores of all libraries as a Markdown table, best first."""
    final = scores(runs, problems, "visible", -1)
    if not final:
        return f"{title}: no runs yet"
    columns = {turn: scores(runs, problems, "visible", turn) for turn in (3, 7, 15)}
    unseen = scores(runs, problems, "hidden", -1)
    lines = [
        f"### {title}: {len(problems)} problems",
        "",
        "| peer | runs | r4 | r8 | r16 | hidden | ours - peer, r16 (95 %) | on these very problems "
        "| own s a run |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    peers = sorted({key[0] for key in final}, key=lambda peer: -_mean(final, peer))
    for peer in peers:
        mine = [run for run in runs if run.peer == peer and run.problem in problems]
        marks = " | ".join(f"{_mean(columns[turn], peer):.1f}" for turn in columns)
        seconds = np.mean([run.seconds for run in mine])
        lines.append(
            f"| {peer} | {len(mine)} | {marks} | {_mean(unseen, peer):.1f} "
            f"| {compared(final, peer)} | {seconds:.1f} |"
        )
    return "\n".join([*lines, ""])


def _mean(table: dict, peer: str) -> float:
    """Mean over problems of the mean over seeds."""
    problems = sorted({problem for name, problem, _ in table if name == peer})
    return float(
        np.mean(
            [
                np.mean([s for (name, at, _), s in table.items() if (name, at) == (peer, problem)])
                for problem in problems
            ]
        )
    )
