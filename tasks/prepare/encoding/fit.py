"""What is fitted on the training split and applied everywhere, at serving too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conf.runtime.types import Floats
from conf.schema.clean import Clean
from data.card import ImageInputs, TableInputs
from data.sources.rows import Rows

PIXEL_SAMPLE = 2_000_000
"""Pixels a channel from which median and quartiles of images are taken."""


def inputs(
    train: Rows, clean: Clean, fill: Floats | None = None, missing: Sequence[str] = ()
) -> ImageInputs | TableInputs:
    """How raw inputs become the model's: `x = (raw - shift) / scale`, for the card."""
    if train.kind == "image":
        return _image_inputs(train, clean)
    return _table_inputs(train, clean, fill, missing)


def _image_inputs(train: Rows, clean: Clean) -> ImageInputs:
    height, width, channels = train.shape
    way = "unit" if clean.normalize == "auto" else clean.normalize
    if way in ("unit", "symmetric", "none"):
        shift, scale = fixed_scale(way, np.zeros(channels), np.full(channels, train.high))
    else:
        shift, scale = _image_statistics(train, robust=way == "robust", each=clean.per_channel)
    return ImageInputs(
        height=height,
        width=width,
        channels=channels,
        low=0.0,
        high=train.high,
        normalize=way,
        shift=tuple(shift.tolist()),
        scale=tuple(scale.tolist()),
    )


def _table_inputs(
    train: Rows, clean: Clean, fill: Floats | None, missing: Sequence[str]
) -> TableInputs:
    way = "standard" if clean.normalize == "auto" else clean.normalize
    values = train.numbers()
    one_hot = len(train.names) - values.shape[1]
    if way in ("standard", "robust"):
        shift, scale = fitted_scale(values, robust=way == "robust")
    else:
        shift, scale = fixed_scale(way, np.nanmin(values, axis=0), np.nanmax(values, axis=0))
    more: dict[str, Any] = {"levels": train.levels} if one_hot else {}  # absent without any
    if train.specs:
        more |= {"columns": train.specs, "missing": tuple(missing)}
    return TableInputs(
        features=len(train.names),
        names=train.names,
        normalize=way,
        # One-hot columns stay 0 and 1.
        shift=(*shift.tolist(), *[0.0] * one_hot),
        scale=(*scale.tolist(), *[1.0] * one_hot),
        fill=None if fill is None else tuple(fill.tolist()),
        **more,
    )


def fixed_scale(way: str, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Shift and scale that bring `low`-`high` to [0, 1] or [-1, 1], or leave them."""
    if way == "none":
        return np.zeros_like(low), np.ones_like(low)
    reach = _no_zero(high - low)
    return (low, reach) if way == "unit" else ((low + high) / 2, reach / 2)


def fitted_scale(values: Floats, *, robust: bool) -> tuple[Floats, Floats]:
    """Mean and deviation, or median and quartile range, of each column."""
    if not robust:
        return np.nanmean(values, axis=0), _no_zero(np.nanstd(values, axis=0))
    low, middle, high = np.nanpercentile(values, [25, 50, 75], axis=0)
    return middle, _no_zero(high - low)


def _no_zero(scale: Floats) -> Floats:
    """A constant feature carries nothing; dividing it by one leaves it zero."""
    return np.where(scale > 0, scale, 1.0)


def _image_statistics(train: Rows, *, robust: bool, each: bool) -> tuple[Floats, Floats]:
    """Of all pixels, or of each channel's; quartiles from evenly chosen ones."""
    channels = train.shape[2]
    if robust:
        step = max(1, len(train) * train.shape[0] * train.shape[1] // PIXEL_SAMPLE)
        pixels = np.concatenate([b.reshape(-1, channels)[::step] for b in train.blocks()])
        values = pixels if each else pixels.reshape(-1, 1)
        shift, scale = fitted_scale(values.astype(np.float64), robust=True)
    else:
        shift, scale = _moments(train, each=each)
    return np.resize(shift, channels), np.resize(scale, channels)


def _moments(train: Rows, *, each: bool) -> tuple[Floats, Floats]:
    """Mean and deviation in one pass over the blocks."""
    total, squares, count = np.zeros(train.shape[2]), np.zeros(train.shape[2]), 0
    for block in train.blocks():
        values = block.reshape(-1, train.shape[2]).astype(np.float64)
        total += values.sum(axis=0)
        squares += (values**2).sum(axis=0)
        count += len(values)
    if not each:
        total, squares, count = total.sum(), squares.sum(), count * len(total)
    mean = np.atleast_1d(total / count)
    return mean, _no_zero(np.sqrt(np.maximum(np.atleast_1d(squares / count) - mean**2, 0.0)))
