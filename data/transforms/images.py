"""Image augmentation with albumentations, as the `augment` section configures it."""

from __future__ import annotations

import math
import random
from importlib import import_module
from typing import Any

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt

from conf.loading.digests import derived_seed
from conf.runtime.types import Floats
from conf.schema.augment import Augment
from conf.schema.base import Section
from data.transforms.presets import KNOWN

# A trial has the threads that it was given; OpenCV would take them all, and hang after a fork.
cv2.setNumThreads(0)

Images = npt.NDArray[Any]

GEOMETRY = ("rotate", "shift", "shear", "zoom", "flip", "crop")
HANDLED = frozenset(
    {*GEOMETRY, "colour", "blur", "noise", "erase", "mixup", "cutmix", "oversample"}
)
"""Transforms made here or on whole batches; any other is a file in `data/transforms/own`."""


class Warp(A.ImageOnlyTransform):  # type: ignore[misc]
    """All geometry in one resampling: sharper than one after the other, and several times cheaper.

    Each change has a chance of its own; where none comes up the image stays as it is. Pixels from
    outside the image are zero.
    """

    def __init__(self, augment: Augment) -> None:
        super().__init__(p=1.0)
        self._augment = augment

    def get_params_dependent_on_data(
        self,
        params: dict[str, Any],
        data: dict[str, Any],  # noqa: ARG002
    ) -> dict[str, Any]:
        """Draw the matrix for one image; None leaves it as it is."""
        height, width = params["shape"][:2]
        return {"matrix": drawn(self._augment, self.py_random, height, width)}

    def apply(self, img: Images, matrix: Floats | None = None, **_: Any) -> Images:
        """Resample one image of (height, width, channels)."""
        if matrix is None:
            return img
        height, width = img.shape[:2]
        return cv2.warpAffine(img, matrix, (width, height)).reshape(img.shape)


def drawn(augment: Augment, draw: random.Random, height: int, width: int) -> Floats | None:
    """A matrix of (2, 3) from pixels of the image to pixels of the changed one, about its centre.

    None where nothing came up.
    """
    # Linear part a b / c d and shift x y, applied to coordinates that start at the centre.
    a, b, c, d, x, y = 1.0, 0.0, 0.0, 1.0, 0.0, 0.0
    touched = False
    if (crop := augment.crop) is not None and draw.random() < crop.p:
        side = 1 / math.sqrt(draw.uniform(crop.smallest, 1.0))
        reach = (side - 1) / 2
        a, d, touched = side, side, True
        x, y = draw.uniform(-reach, reach) * width, draw.uniform(-reach, reach) * height
    if (flip := augment.flip) is not None and draw.random() < flip.p:
        across = flip.axis == "horizontal" or (flip.axis == "both" and draw.random() < 0.5)
        a, x, d, y = (-a, -x, d, y) if across else (a, x, -d, -y)
        touched = True
    if (zoom := augment.zoom) is not None and draw.random() < zoom.p:
        factor = 1 + draw.uniform(-zoom.fraction, zoom.fraction)
        a, d, x, y, touched = a * factor, d * factor, x * factor, y * factor, True
    if (shear := augment.shear) is not None and draw.random() < shear.p:
        slope = math.tan(math.radians(draw.uniform(-shear.degrees, shear.degrees)))
        a, b, x, touched = a + slope * c, b + slope * d, x + slope * y, True
    if (rotate := augment.rotate) is not None and draw.random() < rotate.p:
        angle = math.radians(draw.uniform(-rotate.degrees, rotate.degrees))
        cos, sin = math.cos(angle), math.sin(angle)
        a, b, x, c, d, y = (
            *(cos * a + sin * c, cos * b + sin * d, cos * x + sin * y),
            *(cos * c - sin * a, cos * d - sin * b, cos * y - sin * x),
        )
        touched = True
    if (shift := augment.shift) is not None and draw.random() < shift.p:
        x += draw.uniform(-shift.fraction, shift.fraction) * width
        y += draw.uniform(-shift.fraction, shift.fraction) * height
        touched = True
    if not touched:
        return None
    left, top = (width - 1) / 2, (height - 1) / 2
    return np.array([[a, b, x + left - a * left - b * top], [c, d, y + top - c * left - d * top]])


class Pipeline:
    """The changes of a study, drawn anew for each row and epoch.

    The change of a row is a function of (seed, epoch, row): neither the order of the rows, nor the
    batch they come in, nor the process that draws has a part in it.
    """

    def __init__(self, augment: Augment, seed: int, channels: int) -> None:
        self._seed = seed
        self._epoch = -1
        self._key = 0
        self._bits = np.random.Philox(0)
        self._fresh = self._bits.state
        self._draw = random.Random(0)
        self._compose = A.Compose(transforms(augment, channels), seed=0)
        # One pair of generators serves all transforms; it is reseeded in place, which costs a few
        # microseconds a row where albumentations' own seeding costs a hundred.
        self._compose.set_random_state(np.random.Generator(self._bits), self._draw)

    def __call__(self, image: Images, epoch: int, row: int) -> Images:
        """Change one image of (height, width, channels), uint8 or float32 in [0, 1]."""
        self._reseed(epoch, row)
        return self._compose(image=image)["image"].reshape(image.shape)

    def _reseed(self, epoch: int, row: int) -> None:
        if epoch != self._epoch:
            self._epoch, self._key = epoch, derived_seed(self._seed, "augment", epoch)
        self._draw.seed((self._key << 64) | row)
        self._fresh["state"]["key"][:] = (self._key, row)
        self._bits.state = self._fresh


def transforms(augment: Augment, channels: int) -> list[A.BasicTransform]:
    """The permitted transforms that the section turns on, in the order they are applied."""
    chain: list[A.BasicTransform] = []
    if any(getattr(augment, name) is not None for name in GEOMETRY):
        chain.append(Warp(augment))
    if augment.colour is not None:
        chain.append(_colour(augment, channels))
    if (blur := augment.blur) is not None:
        chain.append(A.GaussianBlur(blur_limit=0, sigma_limit=(0.1, blur.sigma), p=blur.p))
    if (noise := augment.noise) is not None:
        chain.append(A.GaussNoise(std_range=(0.0, noise.deviation), p=noise.p))
    if (erase := augment.erase) is not None:
        side = (min(0.02, erase.size), erase.size)
        chain.append(
            A.CoarseDropout(
                num_holes_range=(1, erase.holes),
                hole_height_range=side,
                hole_width_range=side,
                fill=0,
                p=erase.p,
            )
        )
    for name in KNOWN["image"]:
        if name not in HANDLED and (settings := getattr(augment, name)) is not None:
            chain.append(own_change(name, settings, channels))
    return chain


def own_change(name: str, settings: Section, channels: int) -> A.BasicTransform:
    """The change that `data/transforms/own/<name>.py` defines.

    Names come from the closed section in `conf.schema.augment`, so nothing else is ever imported.
    """
    return import_module(f"data.transforms.own.{name}").transform(settings, channels)


def _colour(augment: Augment, channels: int) -> A.BasicTransform:
    colour = augment.colour
    assert colour is not None
    if channels == 1:
        return A.RandomBrightnessContrast(
            brightness_limit=colour.brightness, contrast_limit=colour.contrast, p=colour.p
        )
    return A.ColorJitter(
        brightness=(1 - colour.brightness, 1 + colour.brightness),
        contrast=(1 - colour.contrast, 1 + colour.contrast),
        saturation=(1 - colour.saturation, 1 + colour.saturation),
        hue=(-colour.hue, colour.hue),
        p=colour.p,
    )
