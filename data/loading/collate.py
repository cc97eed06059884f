"""Batches of images and tables: gathered, augmented, normalised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from conf.loading.digests import derived_seed
from conf.runtime.types import Floats32, Ints
from conf.schema.augment import Jitter
from data.card import ImageInputs, TableInputs, VectorInputs
from data.loading.sampler import Index
from data.sources.rows import FixedListColumn
from data.transforms.images import Pipeline
from data.transforms.mixup import Mixer

Batch = dict[str, Tensor]


class VectorBatches(Dataset[Batch]):
    """Batches of images or table rows, augmented and normalised.

    A batch has `id`, int64 of shape (n,); `x`, float32 of shape (n, channels, height, width) or
    (n, features); `y`, int64 of shape (n,), or float32 of shape (n, classes) where labels are
    mixed; and `second`, where there is an auxiliary target.

    An index is (epoch, slot). `slots` maps a slot to a row, so that oversampled rows stand in
    several slots, each augmented differently.
    """

    def __init__(  # noqa: PLR0913  keyword options
        self,
        content: FixedListColumn,
        ids: Ints,
        labels: Ints,
        slots: Ints,
        inputs: VectorInputs,
        *,
        pipeline: Pipeline | None = None,
        jitter: tuple[Jitter, int] | None = None,
        mixer: Mixer | None = None,
        second: Ints | None = None,
    ) -> None:
        """`jitter` comes with its seed."""
        self._content, self._ids, self._labels, self._slots = content, ids, labels, slots
        self._inputs, self._pipeline, self._jitter, self._mixer = inputs, pipeline, jitter, mixer
        self._shift: npt.NDArray[Any]
        self._scale: npt.NDArray[Any]
        self._shift, self._scale = inputs.shift_and_scale()
        self._second = second

    def __len__(self) -> int:
        return len(self._slots)

    def __getitem__(self, index: Index) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[Index]) -> Batch:
        """The batch of these (epoch, slot) pairs; the loader asks for a batch at once."""
        epoch = indices[0][0]
        slots = np.fromiter((slot for _, slot in indices), dtype=np.int64, count=len(indices))
        rows = self._slots[slots]
        raw = self._content.take(rows)
        inputs = self._inputs
        if isinstance(inputs, ImageInputs):
            x = scaled(self._images(raw, inputs, epoch, slots), self._shift, self._scale)
        else:
            x = scaled(_filled(raw, inputs), self._shift, self._scale)
            if self._jitter is not None:
                x = jittered(x, *self._jitter, epoch, slots, inputs.numeric)
        y: npt.NDArray[Any] = self._labels[rows]
        if self._mixer is not None:
            x, y = self._mixer(x, y, epoch, int(slots[0]))
        batch = {
            "id": torch.from_numpy(self._ids[rows]),
            "x": torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)),
            "y": torch.from_numpy(y),
        }
        if self._second is not None:
            batch["second"] = torch.from_numpy(self._second[rows])
        return batch

    def _images(
        self, raw: npt.NDArray[Any], inputs: ImageInputs, epoch: int, slots: Ints
    ) -> npt.NDArray[Any]:
        """Raw pixels as (n, channels, height, width), augmented."""
        images = raw.reshape(len(raw), *inputs.shape)
        if self._pipeline is not None:
            images = augmented(images, inputs.high, self._pipeline, epoch, slots)
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def scaled(raw: npt.NDArray[Any], shift: npt.NDArray[Any], scale: npt.NDArray[Any]) -> Floats32:
    """`(raw - shift) / scale` as float32, with as few passes over the array as possible."""
    x = raw.astype(np.float32)
    if shift.any():
        x -= shift
    x /= scale
    return x


def augmented(
    images: npt.NDArray[Any], high: float, pipeline: Pipeline, epoch: int, slots: Ints
) -> npt.NDArray[Any]:
    """Augment each image; albumentations takes uint8 and floats from 0 to 1 only."""
    bytewise = images.dtype == np.uint8 and high == 255.0
    unit = images if bytewise else images.astype(np.float32) / high
    out = np.empty_like(unit)
    for place, slot in enumerate(slots):
        out[place] = pipeline(unit[place], epoch, int(slot))
    return out if bytewise else out * np.float32(high)


def jittered(
    x: Floats32, jitter: Jitter, seed: int, epoch: int, slots: Ints, numbers: int
) -> Floats32:
    """Add Gaussian noise to the first `numbers` scaled features; one-hot columns stay."""
    key = derived_seed(seed, "jitter", epoch)
    out = x.copy()
    for place, slot in enumerate(slots):
        random = np.random.Generator(np.random.Philox(key=[key, int(slot)]))
        if random.random() < jitter.p:
            noise = random.standard_normal(numbers, dtype=np.float32)
            out[place, :numbers] += jitter.deviation * noise
    return out


def _filled(raw: Floats32, inputs: TableInputs) -> Floats32:
    """The rows with missing values replaced by the card's fill values, if it has any."""
    if inputs.fill is None:
        return raw
    return np.where(np.isnan(raw), np.asarray(inputs.fill, dtype=raw.dtype), raw)
