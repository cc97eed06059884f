"""Figures of a regression: predictions and residuals against the true values."""

from __future__ import annotations

import numpy as np

from conf.runtime.types import Floats
from tasks.evaluate.predictions import NumberPredictions
from tasks.report.figures.base import Figure

MOST_POINTS = 2_000
"""Points of a figure; more rows are sampled evenly."""


def regression_figures(predictions: NumberPredictions) -> dict[str, Figure]:
    """Predicted against true values, and residuals against predictions."""
    step = max(1, -(-len(predictions.ids) // MOST_POINTS))
    rows = predictions.ids[::step]
    true = np.asarray(predictions.targets[::step], np.float64)
    predicted = np.asarray(predictions.predictions[::step], np.float64)
    ends = [float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))]
    return {
        "predicted": _scatter(
            rows, true, predicted, ("true value", "predicted value"), (ends, ends),
            "row %{customdata}: predicted %{y:.5~g}, true %{x:.5~g}<extra></extra>",
        ),
        "residuals": _scatter(
            rows, predicted, predicted - true, ("predicted value", "predicted − true"),
            ([float(predicted.min()), float(predicted.max())], [0.0, 0.0]),
            "row %{customdata}: %{y:+.5~g} at %{x:.5~g}<extra></extra>",
        ),
    }  # fmt: skip


def _scatter(
    rows: Floats,
    x: Floats,
    y: Floats,
    titles: tuple[str, str],
    ideal: tuple[list[float], list[float]],
    hover: str,
) -> Figure:
    """Points, and the line on which they would lie without an error."""
    line = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "x": ideal[0], "y": ideal[1],
            "line": {"color": "$quiet", "width": 1.5}}  # fmt: skip
    points = {
        "type": "scatter", "mode": "markers",
        "x": _rounded(x), "y": _rounded(y), "customdata": rows.tolist(),
        "hovertemplate": hover,
        "marker": {"color": "$accent", "size": 6, "opacity": 0.6},
    }  # fmt: skip
    return {
        "data": [line, points],
        "layout": {
            "xaxis": {"title": {"text": titles[0]}}, "yaxis": {"title": {"text": titles[1]}},
            "showlegend": False,
        },
    }  # fmt: skip


def _rounded(values: Floats) -> list[float]:
    """Six significant digits, which keep the page small."""
    return [float(f"{value:.6g}") for value in values]
