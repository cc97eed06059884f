"""The loaders that feed a trial, from the parts that prepare wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from conf.identity import derived_seed
from conf.study import TrialConfig
from data.augment import Pipeline, transforms
from data.columns import Part
from data.normalize import shift_and_scale
from data.rows import CONTENT
from data.sampler import EpochSampler, Index

Batch = dict[str, Tensor]
VALIDATION_ROWS = 256


class Batches(Dataset[Batch]):
    """Whole batches of a part: gathered, augmented if `pipeline` is given, normalised.

    A batch is `id` int64[n], `x` float32[n, channels, height, width] (image) or float32[n,
    features] (table), and `y` int64[n].
    """

    def __init__(
        self, part: Part, inputs: Mapping[str, Any], pipeline: Pipeline | None = None
    ) -> None:
        self._part = part
        self._inputs = inputs
        self._pipeline = pipeline
        self._shift, self._scale = shift_and_scale(inputs)

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, index: Index) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[Index]) -> Batch:
        """The batch of these (epoch, row) pairs; the loader asks for a batch at once."""
        epoch = indices[0][0]
        rows = np.fromiter((row for _, row in indices), dtype=np.int64, count=len(indices))
        ids = self._part.ids[rows]
        raw = self._part.content.take(rows)
        x = self._images(raw, epoch, ids) if self._inputs["kind"] == "image" else raw
        x = (x.astype(np.float32, copy=False) - self._shift) / self._scale
        return {
            "id": torch.from_numpy(ids),
            "x": torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)),
            "y": torch.from_numpy(self._part.labels[rows]),
        }

    def _images(
        self, raw: npt.NDArray[Any], epoch: int, ids: npt.NDArray[np.int64]
    ) -> npt.NDArray[Any]:
        """Raw pixels as (n, channels, height, width), augmented."""
        facts = self._inputs
        images = raw.reshape(len(raw), facts["height"], facts["width"], facts["channels"])
        if self._pipeline is not None:
            images = _augmented(images, float(facts["high"]), self._pipeline, epoch, ids)
        return images.transpose(0, 3, 1, 2)


def _augmented(
    images: npt.NDArray[Any],
    high: float,
    pipeline: Pipeline,
    epoch: int,
    ids: npt.NDArray[np.int64],
) -> npt.NDArray[Any]:
    """Augment each image; albumentations knows bytes of 0-255 and floats of 0-1 only."""
    bytewise = images.dtype == np.uint8 and high == 255.0
    unit = images if bytewise else images.astype(np.float32) / high
    changed = np.stack(
        [pipeline(image, epoch, int(row)) for image, row in zip(unit, ids, strict=True)]
    )
    return changed if bytewise else changed * np.float32(high)


def _same(batch: Any) -> Any:
    """The data set gives whole batches; there is nothing left to collate."""
    return batch


class StudyData(pl.LightningDataModule):
    """The train and validation loaders of one trial.

    Everything random in an epoch is a function of (seed, epoch) alone: the order by the sampler's
    `set_epoch`, the augmentation by (seed, epoch, row). Neither the number of workers, nor the size
    of a batch, nor an interruption changes a sample.
    """

    def __init__(
        self,
        config: TrialConfig | Mapping[str, Any],
        card: Mapping[str, Any],
        train: Path,
        validation: Path | None,
        seed: int,
        workers: int = 0,
        *,
        also: Sequence[Path] = (),
        batch_size: int | None = None,
    ) -> None:
        """Name the parts; nothing is opened yet.

        Args:
            config: the trial's configuration.
            card: the prepared data's card.
            train: folder of the training part.
            validation: folder of the validation part; None when the trial has none.
            seed: the trial's.
            workers: processes that load; 0 loads in the trial's own.
            also: folders of further parts to train on.
            batch_size: rows loaded at once where that is less than `train.batch_size`.
        """
        super().__init__()
        self.config = (
            config if isinstance(config, TrialConfig) else TrialConfig.model_validate(config)
        )
        self.card = card
        self._paths = ([train, *also], validation)
        self._seed = seed
        self._workers = workers
        self._batch_size = batch_size or self.config.train.batch_size
        self._train: Part | None = None
        self._validation: Part | None = None

    def setup(self, stage: str | None = None) -> None:
        """Open the parts; a second call does nothing."""
        column = CONTENT[self.card["inputs"]["kind"]][0]
        train, validation = self._paths
        if self._train is None:
            self._train = Part(train, column)
        if self._validation is None and validation is not None:
            self._validation = Part([validation], column)

    @property
    def train_rows(self) -> int:
        """Rows of one epoch of training."""
        self.setup()
        assert self._train is not None
        steps = self.config.train.steps_per_epoch
        return len(self._train) if steps is None else steps * self.config.train.batch_size

    def train_dataloader(self) -> DataLoader[Batch]:
        """Augmented batches in an order of the epoch's own."""
        rows = self.train_rows
        assert self._train is not None
        augment = self.config.augment if self.card["inputs"]["kind"] == "image" else None
        pipeline = Pipeline(augment, self._seed) if augment and transforms(augment) else None
        return self._loader(
            Batches(self._train, self.card["inputs"], pipeline),
            EpochSampler(len(self._train), self._seed, rows),
            self._batch_size,
        )

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Plain batches in the part's own order; nothing where the trial has no validation part."""
        self.setup()
        return [] if self._validation is None else self.plain_loader(self._validation)

    def plain_loader(self, part: Part) -> DataLoader[Batch]:
        """Every row of a part once, in order, as it is."""
        order = [(0, row) for row in range(len(part))]
        data = Batches(part, self.card["inputs"])
        return self._loader(data, order, max(self._batch_size, VALIDATION_ROWS))

    def _loader(
        self, data: Batches, order: EpochSampler | list[Index], size: int
    ) -> DataLoader[Batch]:
        # Without a generator of its own a loader draws from torch's global one, and a resumed
        # epoch then draws one number less than one that was not interrupted.
        generator = torch.Generator().manual_seed(derived_seed(self._seed, "loader"))
        return DataLoader(
            data,
            batch_size=size,
            sampler=order,  # a list of indices is a sampler too
            collate_fn=_same,
            num_workers=self._workers,
            persistent_workers=self._workers > 0,
            generator=generator,
        )


def part_loader(card: Mapping[str, Any], path: Path, batch_size: int) -> DataLoader[Batch]:
    """Every row of one prepared part once, in order: for scoring the test part."""
    part = Part([path], CONTENT[card["inputs"]["kind"]][0])
    order = [(0, row) for row in range(len(part))]
    data = Batches(part, card["inputs"])
    return DataLoader(data, batch_size=batch_size, sampler=order, collate_fn=_same)
