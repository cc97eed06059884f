"""The pieces of a text that a network reads as tokens, and what each counts for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.encoder import Encoder, shortened
from tasks.explain.record import Piece

GAP = " … "
"""Where a long text was cut."""


@dataclass(frozen=True)
class Read:
    """A text as a network reads it."""

    tokens: NDArray[np.int64]
    special: NDArray[np.bool_]
    """Which of them are no part of the text."""
    spans: tuple[tuple[int, int], ...]
    """Of each other token, where it stands in the text."""


def read(text: str, encoder: Encoder) -> Read:
    """A text's tokens with their places, cut as the model's texts are."""
    found, rules = encoder.tokenizer.encode(text, add_special_tokens=False), encoder.rules
    room = max(rules.most - len(rules.before) - len(rules.after), 1)
    kept = shortened(list(range(len(found.ids))), room, rules.cut)
    tokens = rules(found.ids)
    special = np.ones(len(tokens), dtype=bool)
    special[len(rules.before) : len(rules.before) + len(kept)] = False
    spans = tuple(found.offsets[place] for place in kept)
    return Read(np.array(tokens, dtype=np.int64), special, spans)


def weighed(text: str, read: Read, weights: NDArray[np.float64]) -> tuple[Piece, ...]:
    """The text in pieces, each with the weight of its token; what stands between them has none."""
    found: list[Piece] = []
    end = 0
    for (start, stop), weight in zip(read.spans, weights[~read.special], strict=True):
        between = text[end:start]
        if between:
            found.append(Piece(shown=between if between.isspace() else GAP, weight=0.0))
        if stop > start:
            found.append(Piece(shown=text[start:stop], weight=float(weight)))
        end = max(end, stop)
    if text[end:].strip():
        found.append(Piece(shown=GAP, weight=0.0))
    return tuple(found)
