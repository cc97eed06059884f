"""Figures as plain Plotly JSON. Colours are names such as `$accent`, which the page fills in.

A figure is data and layout without a theme: `page.js` adds fonts and colours for light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.evaluate.evaluation import ReliabilityBin
from tasks.report import format as words
from tasks.report.leaderboard import LeaderboardRow
from tasks.train.folder import MetricLine

Figure = dict[str, Any]
COLOURS = ("ink", "muted", "line", "panel", "accent", "good", "bad", "quiet", "tint")
"""The names that may stand after a `$`."""

MOST_CURVES = 60
MOST_NAMED_CELLS = 20


def history(
    rows: Sequence[LeaderboardRow], objective: str, sign: float, chance: Sequence[float] = ()
) -> Figure:
    """Objective by trial, with the best so far as a step line; failures stand below the axis.

    `sign` is 1 where the objective is to fall, -1 where it is to rise; `chance` is where random
    search would stand after each trial.
    """
    ordered = sorted(rows, key=lambda row: row.trial)
    valued = [(row, row.value) for row in ordered if row.value is not None]
    low, high = readable_range([value for _, value in valued], sign)
    shown = [min(max(value, low), high) for _, value in valued]
    last = ordered[-1].trial
    steps = best_so_far(shown, sign)
    line = {
        "type": "scatter", "mode": "lines", "name": "best so far", "hoverinfo": "skip",
        "x": [*(row.trial for row, _ in valued), last], "y": [*steps, *steps[-1:]],
        "line": {"shape": "hv", "color": "$good", "width": 2},
    }  # fmt: skip
    points = {
        "type": "scatter", "mode": "markers", "name": "trial",
        "x": [row.trial for row, _ in valued], "y": shown,
        "text": [hover(row, objective) for row, _ in valued],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "size": [12 if row.place == 1 else 9 for row, _ in valued],
            "opacity": 1,
            "color": ["$good" if row.place == 1 else "$accent" for row, _ in valued],
            "symbol": [
                "circle" if value == inside else "triangle-down"
                for (_, value), inside in zip(valued, shown, strict=True)
            ],
            "line": {"width": 1.5, "color": "$panel"},
        },
    }  # fmt: skip
    pad = 0.1 * (high - low)
    failed = [row for row in ordered if row.status == "failed"]
    return {
        "data": [
            *([_by_chance(chance[: last + 1], low, high)] if chance else []),
            line,
            points,
            *([_failed(failed, low - pad / 2)] if failed else []),
        ],
        "layout": {
            "xaxis": {
                "title": {"text": "trial"}, "range": [-0.6, last + 0.6], "showgrid": False,
                "dtick": _tick(last),
            },
            "yaxis": {"title": {"text": plain(objective)}, "range": [low - pad, high + pad]},
            "showlegend": True,
        },
    }  # fmt: skip


def _by_chance(chance: Sequence[float], low: float, high: float) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "name": "random search, by the model",
        "x": list(range(len(chance))), "y": [min(max(value, low), high) for value in chance],
        "hovertemplate": "random search after %{x} trials: %{y:.5~g}<extra></extra>",
        "line": {"color": "$muted", "width": 1.5, "dash": "dot"},
    }  # fmt: skip


def _failed(rows: Sequence[LeaderboardRow], height: float) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "name": "failed",
        "x": [row.trial for row in rows], "y": [height] * len(rows),
        "text": [f"trial {row.trial} failed: {plain(row.cause or '')}" for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"symbol": "x-thin", "size": 8, "line": {"width": 2, "color": "$bad"}},
    }  # fmt: skip


def curves(
    lines: Mapping[int, Sequence[MetricLine]],
    objective: str,
    best: int | None,
    sign: float,
    rungs: Sequence[int] = (),
) -> Figure:
    """Validation objective by epoch: the best trial and trial 0 named, the others behind them.

    `rungs` are epochs at which trials are compared, drawn as upright lines.
    """
    name = f"val/{objective}"
    points = {
        number: [(line.epoch, line.metrics[name]) for line in found if name in line.metrics]
        for number, found in lines.items()
    }
    named = {best: ("$good", f"trial {best}, the best"), 0: ("$accent", "trial 0, as written")}
    data = [
        _curve(found, "$quiet", 1.25, f"trial {number}", number, legend=False)
        for number, found in list(points.items())[:MOST_CURVES]
        if number not in named and found
    ]
    for number in (0, best):
        if number is not None and points.get(number) and not (number == 0 == best):
            colour, label = named[number]
            data.append(_curve(points[number], colour, 2.5, label, number, legend=True))
    if best == 0 and points.get(0):
        data.append(_curve(points[0], "$good", 2.5, "trial 0, the best", 0, legend=True))
    values = [value for found in points.values() for _, value in found]
    low, high = readable_range(values, sign)
    pad = 0.06 * (high - low)
    longest = max((epoch for found in points.values() for epoch, _ in found), default=0)
    return {
        "data": data,
        "layout": {
            # There is no half an epoch.
            "xaxis": {"title": {"text": "epoch"}, "dtick": 1 if longest <= 10 else None},
            "yaxis": {"title": {"text": plain(objective)}, "range": [low - pad, high + pad]},
            "shapes": [
                {"type": "line", "x0": epoch, "x1": epoch, "yref": "paper", "y0": 0, "y1": 1,
                 "layer": "below", "line": {"color": "$line", "width": 1.5, "dash": "dash"}}
                for epoch in rungs
            ],
            "showlegend": True,
        },
    }  # fmt: skip


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """Shares of each true class by predicted class, with the counts written in."""
    counts = np.asarray(matrix, dtype=np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [plain(name) for name in classes]
    written = len(names) <= MOST_NAMED_CELLS
    cells = [[f"{int(n):,}" if n else "" for n in row] for row in matrix] if written else None
    heat: dict[str, Any] = {
        "type": "heatmap", "x": names, "y": names, "xgap": 2, "ygap": 2, "showscale": False,
        # The root lifts a few errors out of the ground beside hundreds of hits.
        "z": np.sqrt(shares).round(4).tolist(), "zmin": 0, "zmax": 1,
        "colorscale": [[0, "$tint"], [1, "$accent"]],
        "customdata": counts.astype(int).tolist(),
        "hovertemplate": "%{customdata} of %{y} predicted as %{x}<extra></extra>",
    }  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "predicted"}, "type": "category", "showgrid": False,
            "ticks": "",
        },
        "yaxis": {
            "title": {"text": "true"}, "type": "category", "autorange": "reversed",
            "showgrid": False, "ticks": "", "scaleanchor": "x", "constrain": "domain",
        },
    }  # fmt: skip
    layout["xaxis"]["constrain"] = "domain"
    if cells:
        layout["annotations"] = [
            {
                "x": column, "y": row, "text": text, "showarrow": False,
                "font": {"size": 11, "color": "$panel" if shares[row, column] > 0.4 else "$ink"},
            }
            for row, line in enumerate(cells)
            for column, text in enumerate(line)
            if text
        ]  # fmt: skip
    return {"data": [heat], "layout": layout}


def reliability(bins: Sequence[ReliabilityBin]) -> Figure:
    """Reliability diagram: accuracy by confidence; a calibrated model lies on the diagonal."""
    sure = {"type": "scatter", "mode": "lines", "name": "perfectly calibrated", "hoverinfo": "skip",
            "x": [0, 1], "y": [0, 1], "line": {"color": "$line", "width": 1.5}}  # fmt: skip
    most = max(each.rows for each in bins)
    found = {
        "type": "scatter", "mode": "markers+lines", "name": "best trial",
        "x": [round(each.confidence, 4) for each in bins],
        "y": [round(each.accuracy, 4) for each in bins],
        "customdata": [each.rows for each in bins],
        "hovertemplate": "%{customdata} rows, confidence %{x:.2f}, %{y:.0%} right<extra></extra>",
        "line": {"color": "$accent", "width": 1.5},
        "marker": {
            "color": "$accent", "size": [5 + round(13 * (b.rows / most) ** 0.5, 1) for b in bins],
        },
    }  # fmt: skip
    return {
        "data": [sure, found],
        "layout": {
            "xaxis": {"title": {"text": "confidence"}, "range": [-0.02, 1.04]},
            "yaxis": {"title": {"text": "accuracy"}, "range": [-0.04, 1.06]},
            "showlegend": False,
        },
    }


def best_so_far(values: Sequence[float], sign: float) -> list[float]:
    """The best of all values up to each."""
    best: list[float] = (sign * np.minimum.accumulate(sign * np.asarray(values))).tolist()
    return best


def readable_range(values: Sequence[float], sign: float) -> tuple[float, float]:
    """Ends of an axis on which the good values can be told apart.

    A diverged trial would press all others into a line; the bad side ends where values are no
    outliers any more.
    """
    if not values:
        return 0.0, 1.0
    loss = sign * np.asarray(values)
    lower, upper = np.quantile(loss, (0.25, 0.75))
    worst = min(float(loss.max()), float(upper + 2.5 * (upper - lower)))
    ends = sorted((sign * float(loss.min()), sign * worst))
    gap = ends[1] - ends[0]
    return (ends[0], ends[1]) if gap > 0 else (ends[0] - 0.01, ends[1] + 0.01)


def _curve(
    points: Sequence[tuple[int, float]],
    colour: str,
    width: float,
    name: str,
    number: int,
    *,
    legend: bool,
) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines" if len(points) > 1 else "markers", "name": name,
        "x": [epoch for epoch, _ in points], "y": [value for _, value in points],
        "line": {"color": colour, "width": width}, "showlegend": legend,
        "marker": {"color": colour},
        "hovertemplate": f"trial {number}, epoch %{{x}}: %{{y:.5~g}}<extra></extra>",
    }  # fmt: skip


def hover(row: LeaderboardRow, objective: str) -> str:
    """What is said of a trial under the pointer."""
    lines = [f"<b>trial {row.trial}</b>  {plain(objective)} {words.number(row.value)}"]
    lines += [f"{plain(key)} {plain(words.setting(value))}" for key, value in row.values.items()]
    return "<br>".join(lines)


def _tick(last: int) -> int:
    """Whole trials between ticks."""
    return next(
        step
        for step in (1, 2, 5, 10, 25, 50, 100, 250, 1_000, 10_000, 100_000)
        if last / step <= 12
    )


def plain(text: str) -> str:
    """Text that Plotly shows as it is; it reads a few tags otherwise."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
