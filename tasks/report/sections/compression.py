"""Section "Compression": objective, size and latency of each compression recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.packaging.tradeoff import PLAIN, RecipeMeasurement, Tradeoff, read_tradeoff
from tasks.report import format as words
from tasks.report.figures.base import Figure, plain, readable_range
from tasks.scoring.test_score import read_score

SIZE, LATENCY = "MB", "ms for one row (p95)"


@dataclass(frozen=True)
class RecipeLine:
    """Formatted measurements of one recipe."""

    recipe: str
    chosen: bool
    value: str
    loss: str
    size: str
    """Megabytes."""
    times: list[str]
    """Milliseconds: p50 and p95 of one row, then of 32 rows."""
    note: str


@dataclass(frozen=True)
class CompressionSection:
    """One line and one point per recipe, and why one of them was chosen."""

    rows: Sequence[RecipeLine]
    objective: str
    why: str
    test: str
    """Objective of the chosen recipe on the test split; empty if none was chosen."""
    figures: dict[str, Figure]


def compression_section(folder: Path | None, sign: float) -> CompressionSection | None:
    """The recipes measured for a final training; None if none were.

    Args:
        folder: of the final training.
        sign: 1 if the objective is minimized, -1 if it is maximized.
    """
    found = read_tradeoff(folder) if folder else None
    if folder is None or found is None:
        return None
    taken = read_score(folder / f"small-{found.chosen}") if found.chosen else None
    test = taken.metrics[found.objective] if taken else None
    return CompressionSection(
        rows=[_row(each, found) for each in found.rows],
        objective=words.name(found.objective),
        why=found.why,
        test=f"{words.number(test.value)} ({words.interval(test.low, test.high)})" if test else "",
        figures={
            "small-size": _figure(found, sign, SIZE, [row.size_mb for row in found.rows]),
            "small-latency": _figure(
                found, sign, LATENCY, [row.latency[1].p95 for row in found.rows]
            ),
        },
    )


def _row(row: RecipeMeasurement, found: Tradeoff) -> RecipeLine:
    chosen = row.recipe == found.chosen
    return RecipeLine(
        recipe=row.recipe,
        chosen=chosen,
        value=words.number(row.value),
        loss="" if row.recipe == PLAIN else words.signed(row.loss),
        size=f"{row.size_mb:.2f}",
        times=[f"{t:.2f}" for n in (1, 32) for t in (row.latency[n].p50, row.latency[n].p95)],
        note="chosen" if chosen else "" if row.within else "loses too much",
    )


def _figure(found: Tradeoff, sign: float, what: str, costs: Sequence[float]) -> Figure:
    """The objective by a cost, a point a recipe; of two neighbours the lower is named below.

    What lies far off stands at the edge, as a triangle.
    """
    values = [row.value for row in found.rows]
    order = sorted(range(len(costs)), key=lambda place: (costs[place], values[place]))
    pairs = [sorted(order[n : n + 2], key=lambda p: -values[p]) for n in range(0, len(order), 2)]
    sides = {p: side for pair in pairs for p, side in zip(pair, ("top", "bottom"), strict=False)}
    low, high = readable_range(values, sign)
    shown = [min(max(value, low), high) for value in values]
    pad = 0.15 * (high - low)
    return {
        "data": [{
            "type": "scatter", "mode": "markers+text", "x": list(costs), "y": shown,
            "customdata": values,
            "text": [plain(row.recipe) for row in found.rows],
            "textposition": [f"{sides[place]} center" for place in range(len(costs))],
            "cliponaxis": False,
            "hovertemplate": f"%{{text}}<br>%{{x:.3g}} {what}<br>"
            "%{customdata:.5~g}<extra></extra>",
            "marker": {"size": 11, "color": [_colour(row, found) for row in found.rows],
                       "symbol": ["circle" if value == inside else "triangle-down"
                                  for value, inside in zip(values, shown, strict=True)],
                       "line": {"width": 1.5, "color": "$panel"}},
        }],
        "layout": {
            "xaxis": {"title": {"text": what}, "rangemode": "tozero"},
            "yaxis": {"title": {"text": plain(found.objective)}, "range": [low - pad, high + pad]},
            "showlegend": False,
        },
    }  # fmt: skip


def _colour(row: RecipeMeasurement, found: Tradeoff) -> str:
    if row.recipe == found.chosen:
        return "$good"
    return "$accent" if row.within else "$bad"
