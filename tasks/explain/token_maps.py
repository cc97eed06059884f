"""The pieces of a text, and what each counts for: a network's tokens, or of any model words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from conf.runtime.types import Bools, Floats, Ints
from data.encoding.tokenizer import Encoder, shortened
from data.transforms.texts import split_words
from tasks.packaging.explanations import Attribution

GAP = " … "
"""Where a long text was cut."""
MOST = 100
"""Pieces of a text that are left out, each by itself; of a longer one neighbours are together."""


@dataclass(frozen=True)
class Read:
    """A text as a network reads it."""

    tokens: Ints
    special: Bools
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


def weighed(text: str, read: Read, weights: Floats) -> tuple[Attribution, ...]:
    """The text in pieces, each with the weight of its token; what stands between them has none."""
    found: list[Attribution] = []
    end = 0
    for (start, stop), weight in zip(read.spans, weights[~read.special], strict=True):
        between = text[end:start]
        if between:
            found.append(Attribution(shown=between if between.isspace() else GAP, weight=0.0))
        if stop > start:
            found.append(Attribution(shown=text[start:stop], weight=float(weight)))
        end = max(end, stop)
    if text[end:].strip():
        found.append(Attribution(shown=GAP, weight=0.0))
    return tuple(found)


def left_out(text: str, answer: Callable[[Sequence[str]], Floats]) -> tuple[Attribution, ...]:
    """A text's words, of Chinese its characters, with how far the answer falls without them.

    Args:
        text: as the model takes it.
        answer: of texts, the probability of one class, or the number.
    """
    words, between = split_words(text)
    size = -(-len(words) // MOST)
    starts = range(0, len(words), size)
    without = [between.join(words[:start] + words[start + size :]) for start in starts]
    said = answer([between.join(words), *without])
    found: list[Attribution] = []
    for start, fall in zip(starts, said[0] - said[1:], strict=True):
        if found and between:
            found.append(Attribution(shown=between, weight=0.0))
        shown = between.join(words[start : start + size])
        found.append(Attribution(shown=shown, weight=float(fall)))
    return tuple(found)
