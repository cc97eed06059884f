"""The one function from predictions to metrics: of an epoch, of a trial, of the champion."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from tasks.evaluate import counts, rows

Score = Callable[[NDArray, NDArray, NDArray], float]


def own_metric(name: str) -> Score:
    """The metric that `tasks/evaluate/own/<name>.py` defines.

    Names come from the closed list in `conf.evaluate`, so nothing else is ever imported.
    """
    score: Score = importlib.import_module(f"tasks.evaluate.own.{name}").score
    return score


def compute(
    names: Iterable[str], targets: NDArray, predictions: NDArray, probabilities: NDArray
) -> dict[str, float]:
    """Metrics of a classifier, by name.

    Args:
        names: metrics to compute, from `conf.evaluate.MetricName`.
        targets: true class of each row, whole numbers of shape (rows,).
        predictions: predicted class of each row, likewise.
        probabilities: probability of every class, floats of shape (rows, classes).

    Raises:
        ValueError: there are no rows, or the shapes do not fit together.
    """
    check(targets, predictions, probabilities)
    margins = counts.margins(counts.confusion(targets, predictions, probabilities.shape[1]))
    values: dict[str, float] = {}
    for name in names:
        if name in counts.METRICS:
            values[name] = float(counts.METRICS[name](margins))
        elif name in rows.METRICS:
            values[name] = float(rows.METRICS[name](targets, probabilities).mean())
        else:
            values[name] = float(own_metric(name)(targets, predictions, probabilities))
    return values


def check(targets: NDArray, predictions: NDArray, probabilities: NDArray) -> None:
    """Refuse arrays that do not describe the same rows of a classifier.

    Raises:
        ValueError: they do not; the sentence says how.
    """
    if not len(targets):
        raise ValueError("there are no predictions to evaluate; the evaluated part has no rows")
    if probabilities.ndim != 2 or not len(targets) == len(predictions) == len(probabilities):
        raise ValueError(
            "targets, predictions and probabilities must describe the same rows, got shapes "
            f"{targets.shape}, {predictions.shape} and {probabilities.shape}"
        )
    classes = probabilities.shape[1]
    for name, labels in (("targets", targets), ("predictions", predictions)):
        if np.min(labels) < 0 or np.max(labels) >= classes:
            raise ValueError(
                f"{name} must lie in 0..{classes - 1}, the classes that have a probability"
            )
