"""Partial dependence of the objective on the searched settings, by the surrogate model.

Friedman 2001, doi:10.1214/aos/1013203451; for hyperparameters Moosbauer et al. 2021,
arXiv:2111.04820. The same model gives the expected progress of random search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conf.loading.trial_values import same
from conf.schema.search import Choices, Range, Scalar
from tasks.report import format
from tasks.report.figures.base import Figure, hover, plain, readable_range
from tasks.report.leaderboard import LeaderboardRow, short
from tasks.report.sections.importance import FittedQuantity
from tasks.suggest.analysis.partial_dependence import (
    Plane,
    Slice,
    dependence_on,
    dependence_on_pair,
    random_search_curve,
)

MOST_SLICES = 4
LEAST_SHARE = 0.03
"""Of the variation; settings with less are not drawn, the first aside."""
_MOST_TICKS = 6


@dataclass(frozen=True)
class PartialDependence:
    """Partial dependence figures by the id of their element on the page."""

    figures: Mapping[str, Figure]
    slices: Sequence[str]
    """The settings of the slices, in order."""
    plane: Sequence[str]
    """The two settings of the plane; none where one decides nearly everything."""
    chance: Sequence[float]
    """The best objective that random search is expected to reach after each trial."""


def partial_dependence(
    lesson: FittedQuantity | None,
    rows: Sequence[LeaderboardRow],
    space: Mapping[str, Range | Choices],
    objective: str,
    sign: float,
) -> PartialDependence:
    """Slices along the most important settings, the plane of the first two, and random search.

    Nothing where the model foretells too little. `sign` is 1 where the objective is to fall.
    """
    if lesson is None or not lesson.trusted:
        return PartialDependence({}, (), (), ())
    model, names = lesson.model, short(list(space))
    shares = lesson.importance.shares
    keys = [key for i, key in enumerate(shares) if i == 0 or shares[key] >= LEAST_SHARE]
    keys = keys[:MOST_SLICES]
    generator = np.random.default_rng(len(rows))
    drawer = _Drawer(rows, space, names, objective, sign)
    found = {
        f"slice-{index}": drawer.slice(dependence_on(model, key, generator))
        for index, key in enumerate(keys)
    }
    two = keys[:2] if len(keys) > 1 else []
    if two:
        found["plane"] = drawer.plane(dependence_on_pair(model, two[0], two[1], generator))
    most = max(row.trial for row in rows) + 1
    chance = [sign * loss for loss in random_search_curve(model, most, generator)]
    return PartialDependence(
        found, [names[key] for key in keys], [names[key] for key in two], chance
    )


@dataclass(frozen=True)
class _Drawer:
    """Draws over the trials of one study."""

    rows: Sequence[LeaderboardRow]
    space: Mapping[str, Range | Choices]
    names: Mapping[str, str]
    objective: str
    sign: float

    def slice(self, found: Slice) -> Figure:
        """The expected objective along a setting, with the trials behind it."""
        points = [row for row in self.rows if row.value is not None and found.key in row.values]
        low, high = readable_range(
            [row.value for row in points if row.value is not None], self.sign
        )
        pad = 0.08 * (high - low)
        ends = [[self.sign * loss for loss in side] for side in (found.low, found.high)]
        mean = [self.sign * loss for loss in found.expected]
        at = list(range(len(found.values)))
        dots = {
            "type": "scatter", "mode": "markers",
            "x": [self._place(found.key, found.values, row.values[found.key]) for row in points],
            "y": [min(max(row.value or 0.0, low), high) for row in points],
            "text": [hover(row, self.objective) for row in points],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"size": 7, "color": "$accent", "opacity": 0.8},
        }  # fmt: skip
        shape = self._bars if self._listed(found.key) else _band
        return {
            "data": [*shape(at, mean, ends), dots],
            "layout": {
                "xaxis": _axis(self.names[found.key], found.values),
                "yaxis": {
                    "title": {"text": plain(self.objective)}, "range": [low - pad, high + pad],
                },
                "showlegend": False,
            },
        }  # fmt: skip

    def plane(self, found: Plane) -> Figure:
        """The expected objective over two settings, with the trials on it."""
        x, y = found.keys
        z = [[round(self.sign * loss, 5) for loss in row] for row in found.expected]
        rows = [r for r in self.rows if r.value is not None and x in r.values and y in r.values]
        heat = {
            "type": "heatmap", "z": z, "showscale": True, "hoverinfo": "skip",
            "zsmooth": False if self._listed(x) or self._listed(y) else "best",
            "colorscale": [[0, "$tint"], [1, "$accent"]], "reversescale": self.sign > 0,
            "colorbar": {"thickness": 10, "outlinewidth": 0, "tickfont": {"color": "$muted"}},
        }  # fmt: skip
        dots = {
            "type": "scatter", "mode": "markers",
            "x": [self._place(x, found.values[0], row.values[x]) for row in rows],
            "y": [self._place(y, found.values[1], row.values[y]) for row in rows],
            "text": [hover(row, self.objective) for row in rows],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "size": [12 if row.place == 1 else 7 for row in rows],
                "color": ["$good" if row.place == 1 else "$ink" for row in rows],
                "line": {"width": 1.5, "color": "$panel"},
            },
        }  # fmt: skip
        return {
            "data": [heat, dots],
            "layout": {
                "xaxis": {**_axis(self.names[x], found.values[0]), "showgrid": False},
                "yaxis": {**_axis(self.names[y], found.values[1]), "showgrid": False},
                "showlegend": False,
            },
        }

    def _listed(self, key: str) -> bool:
        dimension = self.space[key]
        return isinstance(dimension, Choices)

    def _place(self, key: str, values: Sequence[Scalar], value: Scalar) -> float:
        """Where a value lies among evenly laid out values, between two of them in proportion."""
        if self._listed(key):
            return float(next((i for i, each in enumerate(values) if same(each, value)), -1))
        known, point = np.asarray(values, dtype=np.float64), np.float64(value)
        if getattr(self.space[key], "scale", "linear") == "log":
            known, point = np.log(known), np.log(point)
        return float(np.interp(point, known, np.arange(len(known))))

    @staticmethod
    def _bars(at: list[int], mean: list[float], ends: list[list[float]]) -> list[dict[str, Any]]:
        above = [max(pair) - middle for *pair, middle in zip(*ends, mean, strict=True)]
        below = [middle - min(pair) for *pair, middle in zip(*ends, mean, strict=True)]
        return [{
            "type": "scatter", "mode": "markers", "x": at, "y": mean, "hoverinfo": "skip",
            "marker": {"symbol": "line-ew", "size": 26, "line": {"width": 3, "color": "$good"}},
            "error_y": {"type": "data", "symmetric": False, "array": above, "arrayminus": below,
                        "color": "$quiet", "thickness": 10, "width": 0},
        }]  # fmt: skip


def _band(at: list[int], mean: list[float], ends: list[list[float]]) -> list[dict[str, Any]]:
    edge = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "x": at,
            "line": {"width": 0, "color": "$quiet"}}  # fmt: skip
    return [
        {**edge, "y": ends[0]},
        {**edge, "y": ends[1], "fill": "tonexty", "fillcolor": "$tint"},
        {**edge, "y": mean, "line": {"width": 2.5, "color": "$good"}},
    ]


def _axis(name: str, values: Sequence[Scalar]) -> dict[str, Any]:
    """An axis of evenly laid out values, some of them written."""
    many = len(values)
    written = np.unique(np.linspace(0, many - 1, min(many, _MOST_TICKS)).round().astype(int))
    return {
        "title": {"text": plain(name)},
        "range": [-0.5, many - 0.5],
        "tickvals": written.tolist(),
        "ticktext": [plain(_tick(values[index])) for index in written],
        "zeroline": False,
    }


def _tick(value: Scalar) -> str:
    return f"{value:.2g}" if isinstance(value, float) else format.setting(value)
