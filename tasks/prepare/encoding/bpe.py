"""Byte-pair encoding of texts, trained on the training split alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from conf.schema.clean import TextRules
from data.card import PairsInputs, TextInputs, TokenInputs, TokenLengths
from data.encoding.tokenizer import PADDING
from data.sources.rows import CONTENT, Rows

SPECIAL = (PADDING, "<unk>", "<s>", "</s>")
PAD, UNKNOWN, START, END = range(4)
BLOCK = 1_000


def trained(train: Rows, rules: TextRules) -> Tokenizer:
    """Train a byte-level byte-pair encoding on the training split; it can encode any text.

    Source: Sennrich et al., "Neural machine translation of rare words with subword units",
    arXiv:1508.07909; bytes as in GPT-2.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[UNKNOWN]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=rules.vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(train), trainer)
    tokenizer.enable_truncation(rules.tokens)
    return tokenizer


def _texts(rows: Rows) -> Iterator[list[str]]:
    for name in CONTENT[rows.kind]:
        texts = rows.strings(name).tolist()
        yield from (texts[first : first + BLOCK] for first in range(0, len(texts), BLOCK))


def encoded(rows: Rows, tokenizer: Tokenizer) -> Rows:
    """The rows with a column `<name>_tokens` (list of int32) beside each text column."""
    for name in CONTENT[rows.kind]:
        texts = rows.strings(name).tolist()
        tokens: list[list[int]] = []
        for first in range(0, len(texts), BLOCK):
            found = tokenizer.encode_batch_fast(texts[first : first + BLOCK])
            tokens += [one.ids or [UNKNOWN] for one in found]
        rows = rows.put(f"{name}_tokens", pa.array(tokens, type=pa.list_(pa.int32())))
    return rows


def inputs(rows: Rows, tokenizer: Tokenizer, rules: TextRules) -> TokenInputs:
    """`inputs` of the card: vocabulary, special tokens and the lengths of the texts in tokens."""
    lengths = {
        name: np.array([len(one) for one in rows.table.column(f"{name}_tokens").to_pylist()])
        for name in CONTENT[rows.kind]
    }
    kind = PairsInputs if rows.kind == "pairs" else TextInputs
    return kind(
        vocabulary=tokenizer.get_vocab_size(),
        pad=PAD,
        start=START,
        end=END,
        longest=rules.tokens,
        lengths={
            name: TokenLengths(median=float(np.median(one)), p95=float(np.percentile(one, 95)))
            for name, one in lengths.items()
        },
    )
