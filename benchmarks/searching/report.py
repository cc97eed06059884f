"""Scores as the NeurIPS-2020 challenge counted them, and paired differences with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.searching.runs import Run

RESAMPLES = 10_000
OURS = "dense"


def scores(runs: Sequence[Run], problems: Sequence[str], kind: str, turn: int) -> dict:
    """100 x (1 - normalised loss) after a round, by (peer, problem, seed).

    0 is the median configuration drawn at random, 100 the best that any peer found. `kind` is
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


def difference(table: dict, peer: str) -> tuple[float, float, float, int]:
    """Mean of ours minus the peer's over the runs that both have, 95 % interval, and how many.

    Problems are drawn with replacement, then seeds within each: the interval is about other
    problems of this kind, not only about other seeds.
    """
    shared: dict[str, list[float]] = {}
    for (name, problem, seed), score in table.items():
        if name == peer and (OURS, problem, seed) in table:
            shared.setdefault(problem, []).append(table[OURS, problem, seed] - score)
    groups = [np.array(values) for values in shared.values()]
    if not groups:
        return np.nan, np.nan, np.nan, 0
    generator = np.random.default_rng(0)
    means = np.empty(RESAMPLES)
    for index in range(RESAMPLES):
        chosen = [groups[i] for i in generator.integers(len(groups), size=len(groups))]
        means[index] = np.mean(
            [np.mean(group[generator.integers(len(group), size=len(group))]) for group in chosen]
        )
    low, high = np.percentile(means, [2.5, 97.5])
    return float(np.mean([np.mean(g) for g in groups])), low, high, sum(map(len, groups))


def report(runs: Sequence[Run], problems: Sequence[str], title: str) -> str:
    """A table in Markdown, best first."""
    final = scores(runs, problems, "visible", -1)
    if not final:
        return f"{title}: no runs yet"
    columns = {turn: scores(runs, problems, "visible", turn) for turn in (3, 7, 15)}
    unseen = scores(runs, problems, "hidden", -1)
    lines = [
        f"### {title}: {len(problems)} problems",
        "",
        "| peer | runs | r4 | r8 | r16 | hidden | ours - peer, r16 (95 %) | own s a run |",
        "|---|---|---|---|---|---|---|---|",
    ]
    peers = sorted({key[0] for key in final}, key=lambda peer: -_mean(final, peer))
    for peer in peers:
        mine = [run for run in runs if run.peer == peer and run.problem in problems]
        gap, low, high, count = difference(final, peer)
        paired = "" if peer == OURS else f"{gap:+.2f} ({low:+.2f} to {high:+.2f}), n = {count}"
        marks = " | ".join(f"{_mean(columns[turn], peer):.1f}" for turn in columns)
        seconds = np.mean([run.seconds for run in mine])
        lines.append(
            f"| {peer} | {len(mine)} | {marks} | {_mean(unseen, peer):.1f} | {paired} "
            f"| {seconds:.1f} |"
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
