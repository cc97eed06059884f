"""The served network as one file: a graph and its numbers, of which no code is needed to run it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from models.serving import Serving


def raw_shape(inputs: Mapping[str, Any]) -> tuple[int, ...]:
    """Shape of one raw row: (height, width[, channels]) of an image, (features,) of a table.

    `inputs` is the card's.
    """
    if inputs["kind"] == "table":
        return (int(inputs["features"]),)
    shape = (int(inputs["height"]), int(inputs["width"]))
    channels = int(inputs["channels"])
    return shape if channels == 1 else (*shape, channels)


def export_program(serving: Serving, shape: tuple[int, ...], path: Path) -> None:
    """Write the graph and its weights as a `.pt2` file that takes a batch of any size.

    The rows it takes are float64, as JSON and scikit-learn give them. The file holds raw numbers
    and JSON only: without the example inputs no pickle is left in it.
    """
    example = torch.zeros((2, *shape), dtype=torch.float64)
    batch = {0: torch.export.Dim("batch", min=1)}
    program = torch.export.export(serving.eval(), (example,), dynamic_shapes=(batch,))
    program._example_inputs = None
    torch.export.save(program, path)
