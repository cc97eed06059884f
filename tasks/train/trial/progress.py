"""What a trial knows of itself beyond its model: its curve and its best epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf.schema.evaluate import Evaluate
from tasks.train.engine.failures import NotFinite
from tasks.train.folder import MetricLine

if TYPE_CHECKING:
    from tasks.evaluate.predictions import (
        AnyPredictions,
        LabelPredictions,
        NumberPredictions,
        Predictions,
    )

Outputs = dict[str, Any]
"""Columns of validation rows: tensors, or lists of texts."""


@dataclass(frozen=True)
class Progress:
    """The state of a trial at the end of an epoch; all of it is in the checkpoint."""

    lines: tuple[MetricLine, ...] = ()
    """One line a finished epoch."""
    best_epoch: int | None = None
    """Epoch (from 1) of the best objective; the last one where there is no validation part."""
    best_value: float | None = None
    """Objective there."""
    outputs: Outputs | None = field(default=None, repr=False)
    """What the validation step answered for the validation rows there."""
    weights: dict[str, Tensor] | None = field(default=None, repr=False)
    """The weights there, on the CPU."""

    @property
    def epochs(self) -> int:
        """Finished epochs."""
        return self.lines[-1].epoch if self.lines else 0

    def to_state(self) -> dict[str, Any]:
        """Plain containers and tensors, which torch loads without unpickling code."""
        return {
            "lines": [line.model_dump() for line in self.lines],
            "best_epoch": self.best_epoch,
            "best_value": self.best_value,
            "outputs": self.outputs,
            "weights": self.weights,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Progress:
        """The inverse of `to_state`."""
        return cls(
            lines=tuple(MetricLine.model_validate(line) for line in state["lines"]),
            best_epoch=state["best_epoch"],
            best_value=state["best_value"],
            outputs=state["outputs"],
            weights=state["weights"],
        )


def is_better(value: float, best: float | None, direction: str) -> bool:
    """Whether a value is strictly better, so that of equals the earliest epoch stays."""
    if best is None:
        return True
    return value > best if direction == "maximize" else value < best


def is_out_of_patience(progress: Progress, patience: int | None) -> bool:
    """Whether so many epochs went by without a better one."""
    if patience is None or progress.best_epoch is None:
        return False
    return progress.epochs - progress.best_epoch >= patience


def join(batches: Sequence[Outputs]) -> Outputs:
    """The outputs of all validation batches as one, in their order, on the CPU."""
    return {name: _joined([batch[name] for batch in batches]) for name in batches[0]}


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], Tensor):
        return torch.cat([part.detach().cpu() for part in parts])
    return [item for part in parts for item in part]


def said(outputs: Outputs) -> AnyPredictions:
    """What the model said, as the metrics take it: classes or labels with their probabilities,
    texts, or numbers, as its validation step answers."""
    from tasks.evaluate.predictions import AuxiliaryPredictions, TextPredictions, split_columns

    arrays = {
        name: values.numpy() for name, values in outputs.items() if isinstance(values, Tensor)
    }
    if "hypothesis" in outputs:
        texts = outputs["reference"], outputs["hypothesis"]
        return TextPredictions(arrays["id"], *texts, arrays.get("loss"), arrays.get("tokens"))
    first, second = split_columns(arrays)
    if second is None:
        return _answers(first)
    other: Any = _answers({"id": first["id"], **second[1]})
    return replace(_answers(first), auxiliary=AuxiliaryPredictions(second[0], other))


def _answers(
    arrays: Mapping[str, NDArray[Any]],
) -> Predictions | LabelPredictions | NumberPredictions:
    from tasks.evaluate.predictions import LabelPredictions, NumberPredictions, Predictions

    if "probabilities" not in arrays:
        return NumberPredictions(arrays["id"], arrays["target"], arrays["prediction"])
    probabilities = arrays["probabilities"]
    if arrays["target"].ndim == 2:
        return LabelPredictions(arrays["id"], arrays["target"].astype(np.int8), probabilities)
    labels = probabilities.argmax(axis=1)
    return Predictions(arrays["id"], arrays["target"], labels, probabilities)


def score(outputs: Outputs, evaluate: Evaluate) -> dict[str, float]:
    """Metrics of an epoch by name, from the function that `evaluation.json` comes from; without
    those that are not defined on the rows.

    Raises:
        NotFinite: the model predicts no numbers, or what the search goes by is none.
    """
    from tasks.evaluate import metrics

    for values in outputs.values():
        if isinstance(values, Tensor) and not torch.isfinite(values).all():
            raise NotFinite("the model predicts values that are not finite")
    values = metrics.score(said(outputs), evaluate)
    for name in evaluate.decisive:
        if not np.isfinite(values.get(name, 0.0)):
            raise NotFinite(f"the objective {name} is {values[name]}")
    return {name: value for name, value in values.items() if np.isfinite(value)}
