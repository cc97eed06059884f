"""What is fitted on the training part and applied everywhere, at serving too."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.rows import Rows


def inputs(train: Rows) -> dict[str, Any]:
    """How raw inputs become the model's: `x = (raw - shift) / scale`, for the card.

    An image is scaled to [0, 1]; a table's features are standardised.
    """
    if train.kind == "image":
        height, width, channels = train.shape
        return {
            "kind": "image",
            "height": height,
            "width": width,
            "channels": channels,
            "low": 0.0,
            "high": train.high,
            "shift": [0.0] * channels,
            "scale": [train.high] * channels,
        }
    values = train.matrix("features").astype(np.float64)
    deviation = values.std(axis=0)
    return {
        "kind": "table",
        "features": values.shape[1],
        "names": list(train.names),
        "shift": values.mean(axis=0).tolist(),
        # A constant feature carries nothing; dividing it by one leaves it zero.
        "scale": np.where(deviation > 0, deviation, 1.0).tolist(),
    }
