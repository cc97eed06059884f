"""The contact sheet shows the very images that a trial trains on."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from conf.runtime.home import Home
from conf.schema.augment import Augment, Rotate, Shift
from conf.schema.study import Study
from data.loading.datamodule import StudyData
from data.preview.contact_sheet import COLUMNS, GAP, MARGIN, ROWS, contact_sheet
from tasks.prepare import Prepared, prepare

STUDY = Study(
    name="digits", augment=Augment(rotate=Rotate(degrees=30, p=1.0), shift=Shift(fraction=0.2))
)
SIDE = 48  # 8 pixels, six times enlarged


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(STUDY, Home.open(tmp_path_factory.mktemp("home")))


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def tile(sheet: np.ndarray, line: int, column: int, margin: int) -> np.ndarray:
    """One of its images, 8 x 8 and in [0, 1]."""
    top = GAP + line * (SIDE + GAP)
    left = GAP + column * (SIDE + GAP) + (margin - GAP) * (column > 0)
    return sheet[top : top + SIDE : 6, left : left + SIDE : 6] / 255


def seen(prepared: Prepared, seed: int, epoch: int) -> dict[int, torch.Tensor]:
    """What a trial trains on, by the row's number in the source."""
    data = StudyData(
        STUDY.trial_config, prepared.card, prepared.train, prepared.validation, seed=seed
    )
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return {int(i): x[0] for batch in loader for i, x in zip(batch["id"], batch["x"], strict=True)}


def test_its_tiles_are_what_the_loaders_give(prepared: Prepared) -> None:
    from data.loading.split_reader import PreparedSplit

    split = PreparedSplit([prepared.train])
    first_zero = int(split.ids[np.flatnonzero(split.numbers("label") == 0)[0]])
    sheet = opened(contact_sheet(STUDY.trial_config, prepared.card, prepared.train, seed=5))
    for epoch in range(3):
        given = seen(prepared, 5, epoch)[first_zero].numpy()
        assert tile(sheet, 0, epoch + 1, MARGIN) == pytest.approx(given, abs=1 / 255)
    assert not np.allclose(tile(sheet, 0, 0, MARGIN), tile(sheet, 0, 1, MARGIN), atol=0.05)


def test_it_changes_with_the_seed_alone(prepared: Prepared) -> None:
    given = STUDY.trial_config, prepared.card, prepared.train
    assert contact_sheet(*given, seed=5) == contact_sheet(*given, seed=5)
    assert contact_sheet(*given, seed=5) != contact_sheet(*given, seed=6)


def test_without_augmentation_a_line_holds_one_class(prepared: Prepared) -> None:
    config = STUDY.trial_config.model_copy(update={"augment": Augment()})
    sheet = opened(contact_sheet(config, prepared.card, prepared.train, seed=5))
    assert sheet.shape == (ROWS * (SIDE + GAP) + GAP, COLUMNS * (SIDE + GAP) + GAP)
    tiles = [tile(sheet, 3, column, GAP) for column in range(COLUMNS)]
    assert len({each.tobytes() for each in tiles}) == COLUMNS


@pytest.mark.parametrize("size", [(3, 5), (8, 8), (200, 100)], ids=["tiny", "small", "large"])
def test_colour_images_of_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    from data.preview.contact_sheet import png

    line = np.random.default_rng(0).integers(0, 256, (COLUMNS, *size, 3), dtype=np.uint8)
    sheet = opened(png([line, line], margin=MARGIN))
    assert sheet.ndim == 3 and max(sheet.shape) < 800
