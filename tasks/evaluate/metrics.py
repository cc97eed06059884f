"""Compute metrics from predictions: the same code for an epoch, a trial and the champion."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from conf.runtime.types import Array
from conf.schema.evaluate import Evaluate, Texts
from tasks.evaluate import counts, numbers, probability_metrics, texts
from tasks.evaluate import labels as of_labels
from tasks.evaluate.predictions import (
    AnyPredictions,
    LabelPredictions,
    NumberPredictions,
    Predictions,
)
from tasks.evaluate.weighted_metric import Metric, on_all_rows

MetricFunction = Callable[..., float]


def custom_metric(name: str) -> MetricFunction:
    """The metric that `tasks/evaluate/own/<name>.py` defines.

    Names come from the closed list in `conf.schema.evaluate`, so nothing else is ever imported.
    """
    score: MetricFunction = importlib.import_module(f"tasks.evaluate.own.{name}").score
    return score


def metric_groups(
    predictions: AnyPredictions, evaluate: Evaluate, names: Iterable[str] | None = None
) -> Iterator[tuple[str, AnyPredictions, Iterable[str]]]:
    """Prefix, predictions and metric names of the target, then of the auxiliary target.

    With `names` only these metrics of the target.
    """
    yield "", predictions, evaluate.metrics if names is None else names
    if names is None and predictions.auxiliary is not None:
        other = predictions.auxiliary.predictions
        usual = ("accuracy", "f1_macro") if isinstance(other, Predictions) else ("rmse", "mae")
        yield f"{predictions.auxiliary.name}/", other, evaluate.second or usual


def score(
    predictions: AnyPredictions, evaluate: Evaluate, names: Iterable[str] | None = None
) -> dict[str, float]:
    """Metrics of predictions, by name: those of the section, or `names`.

    Raises:
        ValueError: there are no rows, or the shapes do not fit together.
    """
    return {
        f"{of}{name}": value
        for of, answer, wanted in metric_groups(predictions, evaluate, names)
        for name, value in _scores(answer, evaluate, wanted).items()
    }


def _scores(
    predictions: AnyPredictions, evaluate: Evaluate, names: Iterable[str]
) -> dict[str, float]:
    """Metrics of one target."""
    if isinstance(predictions, Predictions):
        return compute(
            names, predictions.targets, predictions.predictions, predictions.probabilities
        )
    check_rows(len(predictions.ids))
    values: dict[str, float] = {}
    for name in names:
        found = weighted_metric(name, predictions, evaluate.texts)
        alone = (
            on_all_rows(found, len(predictions.ids))
            if found
            else custom_metric(name)(*arrays(predictions))
        )
        values[name] = float(alone)
    return values


def arrays(predictions: AnyPredictions) -> tuple[Array, ...]:
    """The arguments of a custom metric: targets and predictions, and for classes and labels also
    the probabilities. Texts are object arrays."""
    if isinstance(predictions, Predictions | LabelPredictions):
        return predictions.targets, predictions.predictions, predictions.probabilities
    return predictions.targets, predictions.predictions


def weighted_metric(name: str, predictions: AnyPredictions, settings: Texts) -> Metric | None:
    """A metric as a function of row weights; None for custom metrics."""
    if isinstance(predictions, Predictions):
        return classifier_metric(name, *arrays(predictions))
    if isinstance(predictions, LabelPredictions):
        return of_labels.metric(name, predictions)
    if isinstance(predictions, NumberPredictions):
        known = numbers.METRICS.get(name)
        return known(predictions.targets, predictions.predictions) if known else None
    if name in (*texts.CORPUS, *texts.ROUGE, *texts.OTHERS):
        return texts.metric(name, predictions, settings)
    return None


def classifier_metric(
    name: str, targets: Array, predictions: Array, probabilities: Array
) -> Metric | None:
    """A classifier's metric as a function of row weights; None if it has no such form."""
    if name == "roc_auc":
        return probability_metrics.roc_auc(targets, probabilities)
    if name == "ece":
        return probability_metrics.calibration_error(targets, predictions, probabilities)
    return None


def compute(
    names: Iterable[str], targets: Array, predictions: Array, probabilities: Array
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
        elif name in probability_metrics.ROW_MEANS:
            values[name] = float(probability_metrics.ROW_MEANS[name](targets, probabilities).mean())
        elif found := classifier_metric(name, targets, predictions, probabilities):
            values[name] = on_all_rows(found, len(targets))
        else:
            values[name] = float(custom_metric(name)(targets, predictions, probabilities))
    return values


def check_rows(count: int) -> None:
    """Raise ValueError if there are no rows."""
    if not count:
        raise ValueError("there are no predictions to evaluate; the evaluated part has no rows")


def check(targets: Array, predictions: Array, probabilities: Array) -> None:
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
