"""Batches of prepared splits without augmentation, for validation and scoring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from conf.runtime.types import Ints
from conf.schema.pretrained import Head, Transformer
from conf.schema.seq2seq import Causal, Seq2Seq
from conf.schema.study import TrialConfig
from data.assets.pretrained import facts_of, home_of, located
from data.card import DataCard, PairsInputs, TextInputs
from data.encoding.pair_tokenizer import PairEncoder, pair_encoder
from data.encoding.tokenizer import Encoder, encoder_of
from data.loading.collate import Batch, VectorBatches
from data.loading.collate_texts import TextBatches
from data.loading.sampler import Index
from data.loading.split_reader import PreparedSplit, auxiliary_targets
from data.sources.rows import CONTENT


def same(batch: Any) -> Any:
    """The data set gives whole batches; there is nothing left to collate."""
    return batch


def encoding_of(config: TrialConfig, parts: Path) -> Encoder | PairEncoder | None:
    """How a model that brings its own tokenizer reads texts; None where it has the prepared one.

    `parts` is the folder of the prepared splits, in the home where weights lie.
    """
    model = config.model
    if not isinstance(model, Transformer | Head | Seq2Seq | Causal):
        return None
    folder = located(model.weights, home_of(parts), offline=True)
    facts = facts_of(folder)
    if isinstance(model, Transformer | Head):
        return encoder_of(model, folder, facts)
    return pair_encoder(model, folder, facts)


def evenly(rows: Ints, most: int | None) -> Ints:
    """At most `most` of the rows, evenly spaced."""
    if most is None or len(rows) <= most:
        return rows
    return rows[np.arange(most) * len(rows) // most]


def plain(
    split: PreparedSplit,
    rows: Ints,
    card: DataCard,
    encoder: Encoder | PairEncoder | None = None,
    *,
    as_texts: bool = False,
) -> Dataset[Batch]:
    """Batches of some rows of a split without augmentation; texts without tokens if `as_texts`."""
    inputs = card.inputs
    if isinstance(inputs, TextInputs | PairsInputs):
        pairs = isinstance(inputs, PairsInputs)
        return TextBatches(
            split, rows, inputs, references=pairs, encoder=encoder, as_texts=as_texts
        )
    content = split.vectors(CONTENT[inputs.kind][0])
    labels, second = split.numbers("label"), auxiliary_targets(split)
    return VectorBatches(content, split.ids, labels, rows, inputs, second=second)


def in_order(data: Dataset[Batch]) -> list[Index]:
    """A sampler: every row once, in order, as of epoch 0."""
    return [(0, slot) for slot in range(len(data))]  # type: ignore[arg-type]


def split_loader(
    card: DataCard,
    path: Path,
    batch_size: int,
    encoder: Encoder | PairEncoder | None = None,
) -> DataLoader[Batch]:
    """Loader of every row of a prepared split once, in order."""
    split = PreparedSplit([path])
    data = plain(split, np.arange(len(split)), card, encoder)
    return DataLoader(data, batch_size=batch_size, sampler=in_order(data), collate_fn=same)
