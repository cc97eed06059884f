"""Random changes of images by albumentations, from the `augment` section."""

from __future__ import annotations

import random
from typing import Any

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt

from conf.augment import Augment
from conf.identity import derived_seed

# A trial has the threads that it was given; OpenCV would take them all, and hang after a fork.
cv2.setNumThreads(0)

Images = npt.NDArray[Any]


class Warp(A.ImageOnlyTransform):
    """Rotation and shift in one resampling: sharper than one after the other, and cheaper.

    Each has a chance of its own; where neither comes up the image stays as it is. Pixels from
    outside the image are zero.
    """

    def __init__(self, augment: Augment) -> None:
        super().__init__(p=1.0)
        self._rotate = augment.rotate
        self._shift = augment.shift

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, Any]:
        """Draw the matrix for one image."""
        draw = self.py_random
        height, width = params["shape"][:2]
        angle = across = down = 0.0
        if self._rotate is not None and draw.random() < self._rotate.p:
            angle = draw.uniform(-self._rotate.degrees, self._rotate.degrees)
        if self._shift is not None and draw.random() < self._shift.p:
            across = draw.uniform(-self._shift.fraction, self._shift.fraction) * width
            down = draw.uniform(-self._shift.fraction, self._shift.fraction) * height
        if angle == across == down == 0.0:
            return {"matrix": None}
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
        matrix[:, 2] += (across, down)
        return {"matrix": matrix}

    def apply(self, img: Images, matrix: Images | None = None, **_: Any) -> Images:
        """Resample one image of (height, width, channels)."""
        if matrix is None:
            return img
        height, width = img.shape[:2]
        return cv2.warpAffine(img, matrix, (width, height)).reshape(img.shape)


class Pipeline:
    """The changes of a study, drawn anew for each row and epoch.

    The change of a row is a function of (seed, epoch, row): neither the order of the rows, nor the
    batch they come in, nor the process that draws has a part in it.
    """

    def __init__(self, augment: Augment, seed: int) -> None:
        self._seed = seed
        self._epoch = -1
        self._key = 0
        self._bits = np.random.Philox(0)
        self._fresh = self._bits.state
        self._draw = random.Random(0)
        self._compose = A.Compose(transforms(augment), seed=0)
        # One pair of generators serves all transforms; it is reseeded in place, which costs a few
        # microseconds a row where albumentations' own seeding costs a hundred.
        self._compose.set_random_state(np.random.Generator(self._bits), self._draw)

    def __call__(self, image: Images, epoch: int, row: int) -> Images:
        """Change one image of (height, width, channels), uint8 or float32 in [0, 1]."""
        self._reseed(epoch, row)
        return self._compose(image=image)["image"]

    def _reseed(self, epoch: int, row: int) -> None:
        if epoch != self._epoch:
            self._epoch, self._key = epoch, derived_seed(self._seed, "augment", epoch)
        self._draw.seed((self._key << 64) | row)
        self._fresh["state"]["key"][:] = (self._key, row)
        self._bits.state = self._fresh


def transforms(augment: Augment) -> list[A.BasicTransform]:
    """The permitted transforms that the section turns on, in the order they are applied."""
    chain: list[A.BasicTransform] = []
    if augment.rotate is not None or augment.shift is not None:
        chain.append(Warp(augment))
    return chain
