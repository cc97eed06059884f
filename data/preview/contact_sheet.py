"""A contact sheet: some training images, and what a trial sees of them epoch by epoch."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from conf.runtime.types import Ints
from conf.schema.study import TrialConfig
from data.card import DataCard, ImageInputs
from data.loading.collate import augmented
from data.loading.split_reader import PreparedSplit
from data.sources.rows import CONTENT
from data.transforms.images import Pipeline, transforms
from data.transforms.presets import resolved

Pixels = npt.NDArray[Any]

ROWS = 6
COLUMNS = 12
TILE = 48
"""Pixels of a tile's longer side; small images are enlarged by a whole factor of at most this."""
GAP = 3
MARGIN = 12
"""Between the images as they are stored and as they are seen."""
PAPER = 128


def contact_sheet(config: TrialConfig, card: DataCard, train: Path, seed: int) -> bytes:
    """A PNG: a line an image; on the left as stored, then as it is seen in epochs 1, 2, 3, ...

    The images are those that a trial of this configuration and seed trains on, blends within a
    batch aside. Without augmentation each line holds different images of one class.

    Args:
        config: a trial's configuration, of a study of images.
        card: the prepared data's card.
        train: folder of the training split.
        seed: the trial's.
    """
    inputs, split = card.inputs, PreparedSplit([train])
    assert isinstance(inputs, ImageInputs)
    shape = (-1, *inputs.shape)
    column, high = split.vectors(CONTENT["image"][0]), inputs.high
    augment, labels = resolved(config.augment, "image"), split.numbers("label")
    if not is_augmented(config, card):
        lines = [column.take(rows).reshape(shape) for rows in _alike(labels)]
        return png([_bytes(line, high) for line in lines], margin=GAP)
    pipeline = Pipeline(augment, seed, inputs.channels)
    rows = _firsts(labels)
    stored = column.take(rows).reshape(shape)
    columns = [stored] + [
        augmented(stored, high, pipeline, epoch, rows) for epoch in range(COLUMNS - 1)
    ]
    lines = [np.stack([column[line] for column in columns]) for line in range(len(rows))]
    return png([_bytes(line, high) for line in lines], margin=MARGIN)


def is_augmented(config: TrialConfig, card: DataCard) -> bool:
    """Whether a configuration changes images at all."""
    assert isinstance(card.inputs, ImageInputs)
    return bool(transforms(resolved(config.augment, "image"), card.inputs.channels))


def png(lines: list[npt.NDArray[np.uint8]], *, margin: int) -> bytes:
    """Lines of tiles as one picture; `margin` follows the first tile of each."""
    height, width, channels = lines[0].shape[1:]
    tall, wide = _size(height, width)
    across = COLUMNS * (wide + GAP) + margin
    paper = np.full((len(lines) * (tall + GAP) + GAP, across, channels), PAPER, dtype=np.uint8)
    for place, line in enumerate(lines):
        top = GAP + place * (tall + GAP)
        for number, tile in enumerate(line):
            left = GAP + number * (wide + GAP) + (margin - GAP) * (number > 0)
            paper[top : top + tall, left : left + wide] = _scaled(tile, tall, wide)
    return _encoded(paper)


def tile(image: Pixels, high: float) -> bytes:
    """One image of shape (height, width, channels) and values up to `high` as a small PNG."""
    return _encoded(_scaled(_bytes(image, high), *_size(*image.shape[:2])))


def _encoded(paper: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(paper.squeeze()).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _firsts(labels: Ints) -> Ints:
    """One row of each class, and of the classes in turn until there are enough."""
    per_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    depth = -(-ROWS // len(per_class))
    rows = [rows[turn] for turn in range(depth) for rows in per_class if turn < len(rows)]
    return np.array(rows[:ROWS], dtype=np.int64)


def _alike(labels: Ints) -> list[Ints]:
    """A line of rows for each class."""
    return [np.flatnonzero(labels == label)[:COLUMNS] for label in np.unique(labels)[:ROWS]]


def _bytes(images: Pixels, high: float) -> npt.NDArray[np.uint8]:
    return np.clip(np.rint(images.astype(np.float32) * (255.0 / high)), 0, 255).astype(np.uint8)


def _size(height: int, width: int) -> tuple[int, int]:
    """Of a tile: whole enlargement of a small image, the longer side `TILE` of a large one."""
    longer = max(height, width)
    if longer <= TILE:
        return height * (TILE // longer), width * (TILE // longer)
    return max(1, height * TILE // longer), max(1, width * TILE // longer)


def _scaled(tile: npt.NDArray[np.uint8], tall: int, wide: int) -> npt.NDArray[np.uint8]:
    way = Image.Resampling.NEAREST if tall >= tile.shape[0] else Image.Resampling.BOX
    resized = Image.fromarray(tile.squeeze(axis=2) if tile.shape[2] == 1 else tile)
    return np.asarray(resized.resize((wide, tall), way)).reshape(tall, wide, tile.shape[2])
