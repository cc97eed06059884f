"""Export a network as one file: a graph and its weights, which run without the network's code.

The files hold raw numbers and JSON only: without the example inputs, `torch.export` leaves no
pickle in them.
"""

from __future__ import annotations

from pathlib import Path

import torch

from models.serving import Serving, TextServing

EXAMPLE_TOKENS = 8
"""Length of the example from which the graph of a text model is traced; it takes any length."""


def export_program(serving: Serving, shape: tuple[int, ...], path: Path) -> None:
    """Write a network of numeric rows as a `.pt2` file.

    The program takes rows float64[n, *shape] for any n, as JSON and scikit-learn give them.
    """
    example = torch.zeros((2, *shape), dtype=torch.float64)
    batch = {0: torch.export.Dim("batch", min=1)}
    program = torch.export.export(serving.eval(), (example,), dynamic_shapes=(batch,))
    program._example_inputs = None
    torch.export.save(program, path)


def export_text_program(serving: TextServing, max_tokens: int, path: Path) -> None:
    """Write a network of texts as a `.pt2` file.

    The program takes tokens int64[n, length] and their mask bool[n, length] for any n and any
    length up to `max_tokens`, and returns probabilities or numbers.
    """
    tokens = torch.zeros((2, EXAMPLE_TOKENS), dtype=torch.int64)
    mask = torch.ones((2, EXAMPLE_TOKENS), dtype=torch.bool)
    mask[1, EXAMPLE_TOKENS // 2 :] = False
    length = torch.export.Dim("length", min=1, max=max_tokens)
    shape = {0: torch.export.Dim("texts", min=1), 1: length}
    program = torch.export.export(serving.eval(), (tokens, mask), dynamic_shapes=(shape, shape))
    program._example_inputs = None
    torch.export.save(program, path)
