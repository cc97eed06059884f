"""Images and what their pixels count for, as small pictures for a page."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from conf.runtime.types import Array, Floats
from data.card import ImageInputs

FOR, AGAINST = (47, 95, 208), (194, 69, 45)
"""Colours of pixels that raise the answer, and of those that speak against it."""
LONGEST = 160
"""Pixels of a picture's longer side at most; a page enlarges small ones."""


def picture(image: Array, inputs: ImageInputs) -> str:
    """A raw row as a PNG in base64.

    Args:
        image: (height, width) or (height, width, channels), raw.
        inputs: the card's, which say how bright the values can be.
    """
    low, high = inputs.low, inputs.high
    bright = np.clip(np.rint((image - low) / (high - low) * 255), 0, 255).astype(np.uint8)
    return _png(Image.fromarray(bright))


def heat(weights: Floats) -> str:
    """Weights (height, width) as a PNG in base64, the more opaque the more a pixel counts."""
    strongest = float(np.abs(weights).max()) or 1.0
    colours = np.where(weights[..., None] >= 0, np.array(FOR), np.array(AGAINST))
    opacity = np.rint(np.abs(weights) / strongest * 255)
    return _png(Image.fromarray(np.dstack([colours, opacity]).astype(np.uint8)))


def _png(image: Image.Image) -> str:
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
