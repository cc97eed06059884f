"""Batches of texts and pairs: tokens padded to the longest of the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from tokenizers import Tokenizer
from torch.utils.data import Dataset, Sampler

from conf.loading.digests import derived_seed
from conf.runtime.types import Bools, Ints
from data.card import PairsInputs, TokenInputs
from data.encoding.pair_tokenizer import PairEncoder
from data.encoding.tokenizer import Encoder
from data.loading.collate import Batch
from data.loading.sampler import EpochSampler, Index
from data.loading.split_reader import PreparedSplit, Ragged, auxiliary_targets
from data.sources.rows import CONTENT
from data.transforms.texts import TextPipeline

WINDOW = 50
"""Batches whose rows are sorted by length together."""


class TextBatches(Dataset[Batch]):
    """Whole batches: `id` int64[n], `x` int64[n, tokens] with `mask` bool[n, tokens] (true where
    there is a token), or where asked for the list `text` in place of both, and `y`: int64[n]
    classes, with `second` likewise where there is an auxiliary target, or of pairs int64[n, tokens]
    from start to end with `y_mask`, and where asked for the targets' texts as the list `reference`.
    """

    def __init__(
        self,
        split: PreparedSplit,
        slots: Ints,
        inputs: TokenInputs,
        *,
        pipeline: TextPipeline | None = None,
        tokenizer: Tokenizer | None = None,
        references: bool = False,
        encoder: Encoder | PairEncoder | None = None,
        as_texts: bool = False,
    ) -> None:
        """A changed text is written in tokens anew, by `tokenizer`; with an `encoder` all texts are
        in its tokens instead of the prepared ones, and `as_texts` they stay texts."""
        pairs = isinstance(inputs, PairsInputs)
        self._name = CONTENT[inputs.kind][0]
        self.slots, self._ids = slots, split.ids
        self._encoder = encoder.read if isinstance(encoder, PairEncoder) else encoder
        if encoder is None:
            self.tokens: Ragged | Encoded = split.lists(f"{self._name}_tokens")
            self._pad = inputs.pad
        else:
            assert self._encoder is not None
            self.tokens = Encoded(self._encoder(split.texts(self._name).to_pylist()))
            own = encoder.source if isinstance(encoder, PairEncoder) else encoder
            self._pad = own.rules.pad
        self._targets: Targets | Encoded | None = None
        if isinstance(encoder, PairEncoder):
            self._targets = Encoded(encoder.target(split.texts("target").to_pylist()))
        elif pairs:
            self._targets = Targets(split.lists("target_tokens"), inputs.start, inputs.end)
        self._labels = None if pairs else split.numbers("label")
        self._second = auxiliary_targets(split)
        self._pipeline, self._tokenizer = pipeline, tokenizer
        self._texts = split.texts(self._name) if pipeline is not None or as_texts else None
        self._as_texts = as_texts
        self._references = split.texts("target") if references else None

    def __len__(self) -> int:
        return len(self.slots)

    def __getitem__(self, index: Index) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[Index]) -> Batch:
        """The batch of these (epoch, slot) pairs."""
        epoch = indices[0][0]
        slots = np.array([slot for _, slot in indices], dtype=np.int64)
        rows = self.slots[slots]
        batch: dict[str, npt.NDArray[Any]] = {"id": self._ids[rows]}
        if not self._as_texts:
            batch["x"], batch["mask"] = padded(self._read(rows, slots, epoch), self._pad)
        if self._targets is not None:
            targets = [one.tolist() for one in self._targets.take(rows)]
            batch["y"], batch["y_mask"] = padded(targets, self._pad)
        else:
            assert self._labels is not None
            batch["y"] = self._labels[rows]
        if self._second is not None:
            batch["second"] = self._second[rows]
        found: dict[str, Any] = {name: torch.from_numpy(each) for name, each in batch.items()}
        if self._as_texts:
            found["text"] = self._changed(rows, slots, epoch)
        if self._references is not None:
            found["reference"] = self._references.take(pa.array(rows)).to_pylist()
        return found

    def _read(self, rows: Ints, slots: Ints, epoch: int) -> Sequence[Sequence[int]]:
        if self._pipeline is None:
            return [one.tolist() for one in self.tokens.take(rows)]
        changed = self._changed(rows, slots, epoch)
        if self._encoder is not None:
            return [one.tolist() for one in self._encoder(changed)]
        assert self._tokenizer is not None  # texts are changed
        found = self._tokenizer.encode_batch_fast(changed)
        plain = self.tokens.take(rows)
        return [new.ids or old.tolist() for new, old in zip(found, plain, strict=True)]

    def _changed(self, rows: Ints, slots: Ints, epoch: int) -> list[str]:
        """The texts of rows, each as its slot has it in the epoch."""
        assert self._texts is not None
        texts: list[str] = self._texts.take(pa.array(rows)).to_pylist()
        if self._pipeline is None:
            return texts
        return [
            self._pipeline(text, epoch, int(slot), int(number))
            for text, slot, number in zip(texts, slots, self._ids[rows], strict=True)
        ]


class Encoded:
    """Tokens of all texts of a split, in memory."""

    def __init__(self, tokens: Sequence[Ints]) -> None:
        self._tokens = tokens
        self.lengths: Ints = np.array([len(one) for one in tokens], dtype=np.int64)

    def take(self, rows: Ints) -> list[Ints]:
        """The tokens of these rows."""
        return [self._tokens[row] for row in rows]


class Targets:
    """Prepared tokens of target texts, with start and end tokens."""

    def __init__(self, tokens: Ragged, start: int, end: int) -> None:
        self._tokens, self._start, self._end = tokens, start, end

    def take(self, rows: Ints) -> list[npt.NDArray[Any]]:
        """The tokens of these rows."""
        ends = ([self._start], [self._end])
        return [np.concatenate([ends[0], one, ends[1]]) for one in self._tokens.take(rows)]


def padded(tokens: Sequence[Sequence[int]], pad: int) -> tuple[Ints, Bools]:
    """Padded tokens and their mask, each of shape (n, longest)."""
    longest = max(len(one) for one in tokens)
    out = np.full((len(tokens), longest), pad, dtype=np.int64)
    mask = np.zeros((len(tokens), longest), dtype=bool)
    for place, one in enumerate(tokens):
        out[place, : len(one)] = one
        mask[place, : len(one)] = True
    return out, mask


class Bucketed(Sampler[list[Index]]):
    """Batches of rows of similar length, in random order, so that there is little padding.

    A function of (seed, epoch) alone, as `sampler` is; Lightning tells the epoch to `sampler`.
    """

    def __init__(self, sampler: EpochSampler, lengths: Ints, batch_size: int, seed: int) -> None:
        self.sampler = sampler
        self._lengths = lengths
        self._size = batch_size
        self._seed = seed

    def __len__(self) -> int:
        return -(-len(self.sampler) // self._size)

    def __iter__(self) -> Iterator[list[Index]]:
        drawn = list(self.sampler)
        if not drawn:
            return
        batches = []
        for first in range(0, len(drawn), WINDOW * self._size):
            window = drawn[first : first + WINDOW * self._size]
            window.sort(key=lambda index: int(self._lengths[index[1]]))
            batches += [window[i : i + self._size] for i in range(0, len(window), self._size)]
        random = np.random.default_rng(derived_seed(self._seed, "buckets", drawn[0][0]))
        yield from (batches[number] for number in random.permutation(len(batches)))
