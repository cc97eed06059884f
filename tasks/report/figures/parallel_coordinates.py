"""Parallel coordinates of the searched settings: an axis a setting, a line a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from conf.loading.trial_values import same
from conf.schema.search import Choices, Range, Scalar
from tasks.report import format
from tasks.report.figures.base import Figure, hover, plain, readable_range
from tasks.report.leaderboard import LeaderboardRow, short

MOST_LINES = 200
BENDS = 10
SHADES = (("$good", 2.5, 1.0), ("$accent", 1.6, 0.85), ("$quiet", 1.1, 0.7))
"""Colour, width and opacity of the best trial, of the best quarter, of the others."""
FAILED = ("$bad", 1.1, 0.8)
MOST_FAILED = 40


@dataclass(frozen=True)
class Axis:
    """One axis: where values lie on it, from 0 to 1, and what is written beside it."""

    name: str
    key: str | None
    """Setting; None for the objective's own axis."""
    ticks: tuple[tuple[float, str], ...]
    dimension: Range | Choices | None = None
    low: float = 0.0
    high: float = 1.0

    def position(self, row: LeaderboardRow) -> float | None:
        """Where a trial crosses the axis; None where the setting is inactive."""
        if self.key is None:
            value = row.value
            if value is None:
                return None
            return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        assert self.dimension is not None
        return place(self.dimension, row.values[self.key]) if self.key in row.values else None


def parallel(
    rows: Sequence[LeaderboardRow],
    space: Mapping[str, Range | Choices],
    objective: str,
    sign: float,
) -> Figure:
    """The trials with an objective, best on top, and where those that failed lie.

    `rows` are ordered best first.
    """
    names = short(list(space))
    axes = [_setting_axis(names[key], key, dimension) for key, dimension in space.items()]
    valued = [row for row in rows if row.value is not None][:MOST_LINES]
    axes.append(_objective_axis(valued, objective, sign))
    failed = [row for row in rows if row.status == "failed" and row.values][:MOST_FAILED]
    lines = [_line(row, _shade(i, len(valued)), axes, objective) for i, row in enumerate(valued)]
    wrecks = [_line(row, FAILED, axes[:-1], objective) for row in failed]
    return {"data": [*wrecks, *lines[::-1]], "layout": _layout(axes)}


def place(dimension: Range | Choices, value: Scalar) -> float | None:
    """Where a value lies between the ends of its dimension, on its scale; None outside of it."""
    if isinstance(dimension, Choices):
        many = len(dimension.choices)
        found = (i for i, choice in enumerate(dimension.choices) if same(choice, value))
        index = next(found, None)
        return None if index is None else (index + 0.5) / many
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not dimension.low <= value <= dimension.high:
        return None
    low, high, here = (
        _on_scale(x, dimension.scale) for x in (dimension.low, dimension.high, value)
    )
    return 0.5 if low == high else (here - low) / (high - low)


def _on_scale(value: float, scale: str) -> float:
    if scale == "log":
        return math.log(value)
    return math.log(value / (1 - value)) if scale == "logit" else float(value)


def _setting_axis(name: str, key: str, dimension: Range | Choices) -> Axis:
    if isinstance(dimension, Choices):
        many = len(dimension.choices)
        ticks = [((i + 0.5) / many, format.setting(c)) for i, c in enumerate(dimension.choices)]
        return Axis(name, key, tuple(ticks[:: max(1, many // 8)]), dimension)
    values: list[float] = [dimension.low, dimension.high]
    if dimension.scale == "linear":
        values.insert(1, (dimension.low + dimension.high) / 2)
    if dimension.scale == "log":
        decades = range(math.ceil(math.log10(values[0])), math.floor(math.log10(values[1])) + 1)
        values = sorted({*values, *(10.0**decade for decade in decades)})
    ticks = [(place(dimension, value) or 0.0, f"{value:.3g}") for value in values]
    return Axis(name, key, tuple(ticks), dimension)


def _objective_axis(rows: Sequence[LeaderboardRow], objective: str, sign: float) -> Axis:
    low, high = readable_range([row.value for row in rows if row.value is not None], sign)
    ticks = tuple((i / 4, format.setting(low + i / 4 * (high - low))) for i in range(5))
    return Axis(objective, None, ticks, None, low, high)


def _shade(place: int, many: int) -> tuple[str, float, float]:
    return SHADES[0 if place == 0 else 1 if place < many / 4 else 2]


def _line(
    row: LeaderboardRow, shade: tuple[str, float, float], axes: Sequence[Axis], objective: str
) -> dict[str, Any]:
    colour, width, opacity = shade
    crossings = [axis.position(row) for axis in axes]
    xs, ys = bent([(i, y) for i, y in enumerate(crossings) if y is not None])
    return {
        "type": "scatter", "mode": "lines", "x": xs, "y": ys, "opacity": opacity,
        "line": {"color": colour, "width": width},
        "text": hover(row, objective), "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def bent(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """A line through points that leaves and meets each level, and never runs beyond them."""
    xs, ys = [points[0][0]], [points[0][1]]
    for (x0, y0), (x1, y1) in pairwise(points):
        for step in range(1, BENDS + 1):
            share = step / BENDS
            eased = share * share * (3 - 2 * share)
            xs.append(round(x0 + share * (x1 - x0), 4))
            ys.append(round(y0 + eased * (y1 - y0), 4))
    return xs, ys


def _layout(axes: Sequence[Axis]) -> dict[str, Any]:
    rules = [
        {"type": "line", "x0": i, "x1": i, "y0": 0, "y1": 1, "layer": "below",
         "line": {"color": "$line", "width": 1.5}}
        for i in range(len(axes))
    ]  # fmt: skip
    labels = [
        {"x": i, "y": position, "text": plain(text), "showarrow": False,
         "xanchor": "right", "xshift": -5, "font": {"size": 10.5, "color": "$muted"},
         "bgcolor": "$panel", "borderpad": 1, "opacity": 0.9}
        for i, axis in enumerate(axes)
        for position, text in axis.ticks
    ]  # fmt: skip
    names = [
        {"x": i, "y": 1.09, "text": f"<b>{plain(axis.name)}</b>", "showarrow": False,
         "xanchor": "center", "font": {"size": 12, "color": "$ink"}}
        for i, axis in enumerate(axes)
    ]  # fmt: skip
    return {
        "xaxis": {"visible": False, "range": [-0.6, len(axes) - 0.65], "fixedrange": True},
        "yaxis": {"visible": False, "range": [-0.06, 1.16], "fixedrange": True},
        "shapes": rules,
        "annotations": [*labels, *names],
        "showlegend": False,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    }
