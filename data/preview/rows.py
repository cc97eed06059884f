"""Single rows as a person reads them: a picture, a text, a line of numbers."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from data.card import DataCard, ImageInputs, TableInputs, TokenInputs
from data.loading.split_reader import PreparedSplit
from data.sources.rows import CONTENT

MOST_FEATURES = 6


def glance(split: Path, card: DataCard, ids: Iterable[int]) -> dict[int, str]:
    """Rows of a split by their ids; images as PNG in base64. Unknown ids are left out."""
    opened, inputs, wanted = PreparedSplit([split]), card.inputs, set(ids)
    rows = [row for row, known in enumerate(opened.ids.tolist()) if known in wanted]
    if isinstance(inputs, ImageInputs):
        shown = _pictures(opened, inputs, rows)
    elif isinstance(inputs, TableInputs):
        shown = _numbers(opened, inputs, rows)
    else:
        shown = _texts(opened, inputs, rows)
    return {int(opened.ids[row]): one for row, one in zip(rows, shown, strict=True)}


def _pictures(split: PreparedSplit, inputs: ImageInputs, rows: list[int]) -> list[str]:
    from data.preview.contact_sheet import tile

    shape = (-1, *inputs.shape)
    images = split.vectors(CONTENT["image"][0]).take(np.array(rows, dtype=np.int64)).reshape(shape)
    return [base64.b64encode(tile(image, inputs.high)).decode() for image in images]


def _texts(split: PreparedSplit, inputs: TokenInputs, rows: list[int]) -> list[str]:
    texts = split.texts(CONTENT[inputs.kind][0])
    return [str(texts[row]) for row in rows]


def _numbers(split: PreparedSplit, inputs: TableInputs, rows: list[int]) -> list[str]:
    names = inputs.names[:MOST_FEATURES]
    values = split.vectors("features").take(np.array(rows, dtype=np.int64))
    more = ", …" if len(inputs.names) > MOST_FEATURES else ""
    return [
        ", ".join(f"{name} {value:.4g}" for name, value in zip(names, row, strict=False)) + more
        for row in values
    ]
