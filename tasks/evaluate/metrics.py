"""The one way from predictions to metrics: of an epoch, of a trial, of the champion."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from conf.schema.evaluate import Evaluate, Texts
from tasks.evaluate import counts, numbers, ranks, rows, texts
from tasks.evaluate import labels as of_labels
from tasks.evaluate.predictions import LabelPredictions, NumberPredictions, Predictions, Said
from tasks.evaluate.weighted import Metric, on_all

Score = Callable[..., float]


def own_metric(name: str) -> Score:
    """The metric that `tasks/evaluate/own/<name>.py` defines.

    Names come from the closed list in `conf.schema.evaluate`, so nothing else is ever imported.
    """
    score: Score = importlib.import_module(f"tasks.evaluate.own.{name}").score
    return score


def parts(
    said: Said, evaluate: Evaluate, names: Iterable[str] | None = None
) -> Iterator[tuple[str, Said, Iterable[str]]]:
    """What begins the metrics' names, the answer that they score, and which they are: those of the
    section, the second answer's among them, or `names` of the first."""
    yield "", said, evaluate.metrics if names is None else names
    if names is None and said.second is not None:
        other = said.second.said
        usual = ("accuracy", "f1_macro") if isinstance(other, Predictions) else ("rmse", "mae")
        yield f"{said.second.name}/", other, evaluate.second or usual


def score(said: Said, evaluate: Evaluate, names: Iterable[str] | None = None) -> dict[str, float]:
    """Metrics of what a model said, by name: those of the section, or `names`.

    Raises:
        ValueError: there are no rows, or the shapes do not fit together.
    """
    return {
        f"{of}{name}": value
        for of, answer, wanted in parts(said, evaluate, names)
        for name, value in _scores(answer, evaluate, wanted).items()
    }


def _scores(said: Said, evaluate: Evaluate, names: Iterable[str]) -> dict[str, float]:
    """Metrics of one answer."""
    if isinstance(said, Predictions):
        return compute(names, said.targets, said.predictions, said.probabilities)
    check_rows(len(said.ids))
    values: dict[str, float] = {}
    for name in names:
        found = weighted(name, said, evaluate.texts)
        alone = on_all(found, len(said.ids)) if found else own_metric(name)(*arrays(said))
        values[name] = float(alone)
    return values


def arrays(said: Said) -> tuple[NDArray, ...]:
    """What a metric of one's own is called with: targets and predictions, of classes and labels
    also the probabilities; texts as arrays of objects."""
    if isinstance(said, Predictions | LabelPredictions):
        return said.targets, said.predictions, said.probabilities
    return said.targets, said.predictions


def weighted(name: str, said: Said, settings: Texts) -> Metric | None:
    """A metric as a function of the rows' weights; None where it is not known as one."""
    if isinstance(said, Predictions):
        return of_classes(name, *arrays(said))
    if isinstance(said, LabelPredictions):
        return of_labels.metric(name, said)
    if isinstance(said, NumberPredictions):
        known = numbers.METRICS.get(name)
        return known(said.targets, said.predictions) if known else None
    if name in (*texts.CORPUS, *texts.ROUGE, *texts.OTHERS):
        return texts.metric(name, said, settings)
    return None


def of_classes(
    name: str, targets: NDArray, predictions: NDArray, probabilities: NDArray
) -> Metric | None:
    """A metric of classes as a function of the rows' weights, where it is known as one."""
    if name == "roc_auc":
        return ranks.roc_auc(targets, probabilities)
    if name == "ece":
        return ranks.calibration_error(targets, predictions, probabilities)
    return None


def compute(
    names: Iterable[str], targets: NDArray, predictions: NDArray, probabilities: NDArray
) -> dict[str, float]:
    """Metrics of a classifier, by name.

    Args:
        names: metrics to compute, from `conf.schema.evaluate.MetricName`.
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
        elif found := of_classes(name, targets, predictions, probabilities):
            values[name] = on_all(found, len(targets))
        else:
            values[name] = float(own_metric(name)(targets, predictions, probabilities))
    return values


def check_rows(count: int) -> None:
    """Refuse to score nothing."""
    if not count:
        raise ValueError("there are no predictions to evaluate; the evaluated part has no rows")


def check(targets: NDArray, predictions: NDArray, probabilities: NDArray) -> None:
    """Refuse arrays that do not describe the same rows of a classifier.

    Raises:
        ValueError: they do not; the sentence says how.
    """
    check_rows(len(targets))
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
