"""Features for drift detection: a few interpretable ones per row, and more for a joint test.

Both are functions of the row alone, so those of the training rows can be kept with a champion
without the rows themselves.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.runtime.types import Array, Floats, Floats32, Ints
from data.card import ImageInputs, Inputs, TableInputs
from data.encoding.table_encoder import encode, input_names
from tasks.evaluate.predictions import (
    AnyPredictions,
    LabelPredictions,
    NumberPredictions,
    Predictions,
)

CONFIDENCE = ("confidence",)
THUMB = 8
BUCKETS = 64
DIRECTIONS = ("across", "up-right", "upright", "up-left")

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class DriftFeatures:
    """Features of some rows."""

    names: tuple[str, ...]
    values: Floats32
    """float32 of shape (rows, names); tested one by one."""
    joint: Floats32
    """float32 of shape (rows, any number); tested jointly."""

    def __len__(self) -> int:
        return len(self.values)

    def some(self, rows: Ints) -> DriftFeatures:
        """The features of the rows at these positions."""
        return DriftFeatures(self.names, self.values[rows], self.joint[rows])


def concatenate(batches: Sequence[DriftFeatures]) -> DriftFeatures:
    """The features of several batches of rows, in order."""
    return DriftFeatures(
        batches[0].names,
        np.concatenate([batch.values for batch in batches]),
        np.concatenate([batch.joint for batch in batches]),
    )


@dataclass(frozen=True)
class DriftPredictions:
    """Predictions for some rows, as numbers that can be compared."""

    labels: Ints | None
    """Predicted classes of shape (rows,); None: the model predicts no single class."""
    names: tuple[str, ...]
    """Of the columns of `values`, such as the confidence."""
    values: Floats32
    """float32 of shape (rows, names)."""


def features_of(rows: Any, inputs: Inputs) -> DriftFeatures:
    """Features of raw rows.

    Args:
        rows: as the registered model takes them: an array, a frame, or texts.
        inputs: what the model, or the data's card, says of them.
    """
    if isinstance(inputs, ImageInputs):
        return _of_images(np.asarray(rows, np.float32), inputs)
    if isinstance(inputs, TableInputs):
        return _of_table(_numbers(rows, inputs), inputs)
    return _of_texts(list(rows))


def complete_rows(rows: Any, inputs: Inputs) -> NDArray[np.bool_]:
    """Which raw rows training would have kept, of shape (rows,).

    Where training dropped rows with a missing value (`clean.missing: drop`), those with one are
    left out here, too; where it filled missing values in, `features_of` fills in the same.

    Args:
        rows: as the registered model takes them.
        inputs: of the model or of the data set card.
    """
    if not isinstance(inputs, TableInputs) or inputs.fill is not None:
        return np.ones(len(rows), dtype=bool)
    return np.asarray(np.isfinite(_numbers(rows, inputs)).all(axis=1), dtype=bool)


@dataclass(frozen=True)
class FeatureColumn:
    """The column of the study that a drift feature was made from."""

    name: str
    level: str = ""
    """Category that the feature stands for; empty: the column is not categorical."""
    date: bool = False
    """Whether it is a date. Dates are shown and not tested: time passes between two batches."""


def feature_columns(names: Sequence[str], inputs: Inputs) -> tuple[FeatureColumn, ...]:
    """The column of each feature; one of its own where rows have no named columns."""
    columns = {}
    for spec in inputs.specs if isinstance(inputs, TableInputs) else ():
        levels = spec.get("levels", ("",) * len(input_names([spec])))
        for name, level in zip(input_names([spec]), levels, strict=True):
            columns[name] = FeatureColumn(spec["name"], level, spec["kind"] == "datetime")
    return tuple(columns.get(name, FeatureColumn(name)) for name in names)


def answers_of(predictions: AnyPredictions) -> DriftPredictions:
    """The part of a model's predictions that is compared."""
    if isinstance(predictions, Predictions):
        confidence = predictions.probabilities.max(axis=1).astype(np.float32)
        return DriftPredictions(
            predictions.predictions.astype(np.int64), CONFIDENCE, confidence[:, None]
        )
    if isinstance(predictions, LabelPredictions):
        confidence = np.maximum(predictions.probabilities, 1 - predictions.probabilities).mean(
            axis=1
        )
        return DriftPredictions(None, CONFIDENCE, confidence.astype(np.float32)[:, None])
    if isinstance(predictions, NumberPredictions):
        return DriftPredictions(
            None, ("answer",), predictions.predictions.astype(np.float32)[:, None]
        )
    lengths = [(len(text), len(_WORD.findall(text))) for text in predictions.hypotheses]
    values = np.array(lengths, dtype=np.float32).reshape(-1, 2)
    return DriftPredictions(None, ("characters", "words"), values)


def _of_images(rows: Floats32, inputs: ImageInputs) -> DriftFeatures:
    low, high = inputs.low, inputs.high
    pixels = (rows - low) / ((high - low) or 1.0)
    colours = pixels if pixels.ndim == 4 else pixels[..., None]
    grey = colours.mean(axis=3)
    named = {"brightness": grey.mean(axis=(1, 2)), "contrast": grey.std(axis=(1, 2))}
    if colours.shape[3] == 3:
        named |= {n: colours[..., c].mean((1, 2)) for c, n in enumerate(("red", "green", "blue"))}
    named |= _edges(grey) | _shape(grey)
    values = np.stack(list(named.values()), axis=1).astype(np.float32)
    joint = np.concatenate([values, _thumbnails(grey)], axis=1)
    return DriftFeatures(tuple(named), values, joint)


def _edges(grey: Array) -> dict[str, Array]:
    """Sharpness of each image, and the share of its edges in each direction."""
    down, right = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(down, right)
    total = strength.sum(axis=(1, 2)) + 1e-9
    turn = np.mod(np.arctan2(down, right), np.pi) / np.pi * len(DIRECTIONS)
    near = np.rint(turn).astype(np.int64) % len(DIRECTIONS)
    shares = [np.where(near == k, strength, 0).sum((1, 2)) / total for k in range(len(DIRECTIONS))]
    second = np.diff(grey, 2, axis=1)[:, :, 1:-1] + np.diff(grey, 2, axis=2)[:, 1:-1, :]
    return {
        "sharpness": np.abs(second).mean(axis=(1, 2)) / (strength.mean(axis=(1, 2)) + 1e-9),
        **{f"edges {name}": share for name, share in zip(DIRECTIONS, shares, strict=True)},
    }


def _shape(grey: Array) -> dict[str, Array]:
    """Centre, spread and covariance of each image's brightness."""
    height, width = grey.shape[1:]
    y = np.linspace(-1, 1, height)[None, :, None]
    x = np.linspace(-1, 1, width)[None, None, :]
    weight = grey - grey.min(axis=(1, 2), keepdims=True)
    weight = weight / (weight.sum(axis=(1, 2), keepdims=True) + 1e-9)
    left, top = (weight * x).sum((1, 2)), (weight * y).sum((1, 2))
    dx, dy = x - left[:, None, None], y - top[:, None, None]
    return {
        "place across": left,
        "place down": top,
        "width": (weight * dx**2).sum((1, 2)),
        "height": (weight * dy**2).sum((1, 2)),
        "lean": (weight * dx * dy).sum((1, 2)),
    }


def _thumbnails(grey: Array) -> Floats32:
    """Each image averaged to 8 x 8 pixels; smaller ones unchanged."""
    for axis in (1, 2):
        cuts = np.linspace(0, grey.shape[axis], min(THUMB, grey.shape[axis]) + 1).astype(int)
        sums = np.add.reduceat(grey, cuts[:-1], axis=axis)
        shape = [1, 1, 1]
        shape[axis] = -1
        grey = sums / np.diff(cuts).reshape(shape)
    return grey.reshape(len(grey), -1).astype(np.float32)


def _of_table(rows: Floats, inputs: TableInputs) -> DriftFeatures:
    names = tuple(inputs.names or (f"column {k}" for k in range(rows.shape[1])))
    if inputs.fill is not None:
        rows = np.where(np.isnan(rows), np.asarray(inputs.fill, np.float64), rows)
    values = rows.astype(np.float32)
    return DriftFeatures(names, values, values)


def _numbers(rows: Any, inputs: TableInputs) -> Floats:
    """Rows of a table as inputs, float64 of shape (rows, features); NaN where one is missing."""
    specs = inputs.specs
    return encode(rows, specs, inputs.missing) if specs else np.asarray(rows, np.float64)


def _of_texts(texts: Sequence[str]) -> DriftFeatures:
    names = ("characters", "words", "letters a word", "capitals", "digits", "marks", "beyond ASCII")
    values = np.array([_of_text(text) for text in texts], dtype=np.float32).reshape(-1, len(names))
    joint = np.zeros((len(texts), BUCKETS), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in _WORD.findall(text.lower()):
            joint[row, zlib.crc32(word.encode()) % BUCKETS] += 1
    joint = np.sqrt(joint / np.maximum(joint.sum(axis=1, keepdims=True), 1))
    return DriftFeatures(names, values, joint)


def _of_text(text: str) -> tuple[float, ...]:
    size, words = max(len(text), 1), _WORD.findall(text)
    marks = sum(not (c.isalnum() or c.isspace()) for c in text)
    return (
        len(text),
        len(words),
        sum(map(len, words)) / max(len(words), 1),
        sum(c.isupper() for c in text) / size,
        sum(c.isdigit() for c in text) / size,
        marks / size,
        sum(ord(c) > 127 for c in text) / size,
    )
