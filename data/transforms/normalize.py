"""How raw inputs become what a model sees; the same numbers in training and at serving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def shift_and_scale(inputs: Mapping[str, Any]) -> tuple[Floats, Floats]:
    """`x = (raw - shift) / scale`, one number a channel (image) or feature (table).

    `inputs` is the card's. For an image both have shape (channels, 1, 1), for a table (features,).
    """
    shift = np.asarray(inputs["shift"], dtype=np.float32)
    scale = np.asarray(inputs["scale"], dtype=np.float32)
    if inputs["kind"] == "image":
        return shift.reshape(-1, 1, 1), scale.reshape(-1, 1, 1)
    return shift, scale


def numbers_of(inputs: Mapping[str, Any]) -> int:
    """How many of a table's inputs are numbers; those of words come after them."""
    return int(inputs["features"]) - sum(map(len, inputs.get("levels", {}).values()))
