"""Samples of texts and tables as a trial sees them, so that a person sees what the model sees.

What draws one kind of data loads nothing of the others: Lightning and torch take seconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from conf.schema.study import TrialConfig
from data.card import DataCard, TableInputs
from data.loading.split_reader import PreparedSplit
from data.sources.rows import CONTENT
from data.transforms.presets import resolved
from data.transforms.texts import changes_texts


def text_samples(
    config: TrialConfig,
    card: DataCard,
    train: Path,
    seed: int,
    *,
    rows: int = 5,
    changes: int = 3,
) -> list[list[str]]:
    """Texts as they were stored and, where they are changed, as in so many epochs, a list a sample;
    of a pair the target comes second."""
    from data.loading.datamodule import text_pipeline

    split, augment = PreparedSplit([train]), resolved(config.augment, card.inputs.kind)
    texts = split.texts(CONTENT[card.inputs.kind][0])
    vocabulary = {word.lower() for text in texts.to_pylist() for word in text.split()}
    pipeline = text_pipeline(augment, train.parent, seed, vocabulary)
    chosen = evenly(len(split), rows)
    stored = [str(texts[row]) for row in chosen]
    if not changes_texts(augment):
        changes = 0
    seen = [
        [text, *(pipeline(text, epoch, row, int(split.ids[row])) for epoch in range(changes))]
        for row, text in zip(chosen, stored, strict=True)
    ]
    if card.inputs.kind != "pairs":
        return seen
    targets = split.texts("target")
    return [
        [text, f"→ {targets[row]}", *others]
        for row, (text, *others) in zip(chosen, seen, strict=True)
    ]


def evenly(count: int, most: int) -> list[int]:
    """Indices of at most `most` of `count` rows, evenly spaced."""
    return [count * place // most for place in range(most)] if count > most else list(range(count))


def table_samples(
    config: TrialConfig,
    card: DataCard,
    train: Path,
    seed: int,
    *,
    rows: int = 5,
    changes: int = 3,
) -> list[list[list[float]]]:
    """Scaled features as they are and as in so many epochs, a list a sample."""
    from data.loading.collate import jittered

    split, augment = PreparedSplit([train]), resolved(config.augment, "table")
    chosen = np.array(evenly(len(split), rows))
    assert isinstance(card.inputs, TableInputs)
    shift, scale = card.inputs.shift_and_scale()
    x = ((split.vectors("features").take(chosen) - shift) / scale).astype(np.float32)
    seen = [x]
    if augment.jitter is not None:
        numbers = card.inputs.numeric
        seen += [
            jittered(x, augment.jitter, seed, epoch, chosen, numbers) for epoch in range(changes)
        ]
    return np.stack(seen, axis=1).round(3).tolist()
