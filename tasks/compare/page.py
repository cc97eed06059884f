"""A comparison laid out: the same tables for the terminal and for a self-contained page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conf.runtime.atomic_write import write_atomically
from tasks.compare.comparison import Comparison, MetricComparison
from tasks.compare.side import ComparisonSide
from tasks.report import format as words
from tasks.report.figures.base import Figure, best_so_far, plain
from tasks.report.page import render

SCORE_HEADS = ("metric", "A", "95 % interval", "B", "95 % interval", "B − A", "95 % interval")


def write_comparison(found: Comparison) -> Path:
    """Write the page among the home's reports, and say where."""
    names = "-".join(re.sub(r"[/@]", ".", side.name) for side in (found.a, found.b))
    path = found.a.record.home.path / "reports" / f"compare-{names}.html"
    write_atomically(path, render("versus.html", view(found)))
    return path


@dataclass(frozen=True)
class ComparisonPage:
    """Everything that `versus.html` shows; its fields are the template's variables."""

    a: ComparisonSide
    b: ComparisonSide
    headline: str
    pairing: str
    scores: list[tuple[str, ...]]
    tables: list[tuple[str, list[tuple[str, str, str]]]]
    facts: list[tuple[str, str, str]]
    course: str
    """Heading of the figure of both curves."""
    figures: Mapping[str, Figure]


def view(found: Comparison) -> ComparisonPage:
    """The page of a comparison."""
    return ComparisonPage(
        a=found.a,
        b=found.b,
        headline=found.headline,
        pairing=pairing(found),
        scores=[(*score_row(score), score.better) for score in found.scores],
        tables=tables(found),
        facts=facts(found),
        course="Best so far, by trial" if _both_whole(found) else "Learning curves",
        figures=_figures(found),
    )


def pairing(found: Comparison) -> str:
    """What the test row by row says; or why there is none."""
    if found.unpaired:
        return f"No paired test: {found.unpaired}."
    rows = found.rows
    if rows is None:
        return "Differences are paired by row."
    return (
        f"Of {rows.rows:,} rows both have {rows.both_right:,} right, A alone {rows.only_a}, "
        f"B alone {rows.only_b}: were they equally good, a split as uneven would come with p = "
        f"{rows.p:.2g} (McNemar's exact test)."
    )


def score_row(score: MetricComparison) -> tuple[str, ...]:
    """A metric's cells, as `SCORE_HEADS` names them."""
    cells = [words.name(score.name)]
    for found in (score.a, score.b):
        cells.append(words.number(found.value) if found else words.DASH)
        cells.append(words.interval(found.low, found.high) if found else "")
    if (found := score.difference) is None:
        return (*cells, words.DASH, "")
    ends = f"{words.signed(found.low)} to {words.signed(found.high)}"
    return (*cells, words.signed(found.value), ends)


def tables(found: Comparison) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Tables of settings that differ, each with its title."""
    rows = [(key, cell(a), cell(b)) for key, a, b in found.settings]
    if not _both_whole(found):
        return [("Settings that differ", rows)]
    best = [(key, cell(a), cell(b)) for key, a, b in found.best]
    return [
        ("Settings of the studies that differ", rows),
        (f"Settings of their best trials, {found.a.trial} and {found.b.trial}, that differ", best),
    ]


def facts(found: Comparison) -> list[tuple[str, str, str]]:
    """What else there is to know of both."""
    sides = (found.a, found.b)
    rows: list[tuple[str, ...]] = [
        ("what", *(side.words for side in sides)),
        ("training", *(words.duration(side.seconds) for side in sides)),
    ]
    if _both_whole(found):
        rows.append(("trials", *(_trials(side) for side in sides)))
    else:
        rows.append(("epochs", *(str(len(side.curve)) for side in sides)))
    rows.append(("folder", *(str(side.folder) for side in sides)))
    return [(name, left, right) for name, left, right in rows]


def cell(value: Any) -> str:
    """A setting's value, as YAML would have it."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return words.setting(value)


def _trials(side: ComparisonSide) -> str:
    outcomes = ", ".join(f"{many} {name}" for name, many in side.record.outcomes.items() if many)
    return f"{side.record.state.asked} ({outcomes})"


def _both_whole(found: Comparison) -> bool:
    return found.a.whole and found.b.whole


def _figures(found: Comparison) -> dict[str, Figure]:
    figures = {"intervals": intervals(found.scores)}
    sides = (found.a, found.b)
    if _both_whole(found):
        lines = [_best(side, found.objective) for side in sides]
        figures["course"] = course(lines, "trial", found.objective, shape="hv")
    elif any(side.curve for side in sides):
        name = "train/loss" if found.a.part == "test" else f"val/{found.objective}"
        lines = [
            [(line.epoch, line.metrics[name]) for line in side.curve if name in line.metrics]
            for side in sides
        ]
        figures["course"] = course(lines, "epoch", name.partition("/")[2], shape="linear")
    return figures


def _best(side: ComparisonSide, objective: str) -> list[tuple[int, float]]:
    """The best value so far after each trial; nothing where the study has another objective."""
    if side.record.study.evaluate.objective != objective:
        return []
    scored = [t for t in side.record.state.trials if t.value is not None and t.status != "failed"]
    values = [float(trial.value) for trial in scored if trial.value is not None]
    best = best_so_far(values, side.record.state.sign)
    return [(trial.number, value) for trial, value in zip(scored, best, strict=True)]


def course(lines: Sequence[Sequence[tuple[int, float]]], x: str, y: str, *, shape: str) -> Figure:
    """A line a side."""
    named = zip(("A", "B"), ("$accent", "$good"), lines, strict=True)
    data = [
        {
            "type": "scatter", "mode": "lines+markers", "name": name,
            "x": [at for at, _ in points], "y": [value for _, value in points],
            "line": {"color": colour, "width": 2, "shape": shape}, "marker": {"size": 5},
        }
        for name, colour, points in named
    ]  # fmt: skip
    axes = {"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": plain(y)}}}
    return {"data": data, "layout": {**axes, "showlegend": True}}


def intervals(scores: Sequence[MetricComparison]) -> Figure:
    """Each metric of both sides as a point with its interval."""
    data = []
    for name, colour in (("A", "$accent"), ("B", "$good")):
        shown = [(s.name, s.a if name == "A" else s.b) for s in scores]
        points = [(f"{plain(words.name(m))}, {name}", f) for m, f in shown if f is not None]
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": name,
                "y": [metric for metric, _ in points], "x": [f.value for _, f in points],
                "error_x": {
                    "type": "data", "symmetric": False, "color": colour, "thickness": 1.5,
                    "array": [f.high - f.value for _, f in points],
                    "arrayminus": [f.value - f.low for _, f in points],
                },
                "marker": {"size": 9, "color": colour},
            }
        )  # fmt: skip
    order = [f"{plain(words.name(score.name))}, {name}" for score in scores for name in "AB"]
    axis = {"type": "category", "categoryarray": order, "range": [len(order) - 0.5, -0.5]}
    return {"data": data, "layout": {"showlegend": False, "yaxis": axis}}
