"""Recurrent encoder-decoder with attention for text generation; greedy and beam search.

A registered model contains a copy of this file and runs it without this project installed, so it
imports torch alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


@dataclass(frozen=True)
class EncodedTexts:
    """The encoder's output for n texts."""

    states: Tensor
    """Hidden states, shape (n, source tokens, width)."""
    mask: Tensor
    """Shape (n, source tokens): true for tokens, false for padding."""
    start: Tensor
    """Initial state of the decoder, shape (layers, n, width)."""

    def take(self, rows: Tensor) -> EncodedTexts:
        """The output for a selection of the texts, in this order."""
        return EncodedTexts(self.states[rows], self.mask[rows], self.start[:, rows])


class GruNet(nn.Module):
    """A bidirectional GRU encoder, and a GRU decoder with multiplicative attention.

    After Luong et al. 2015 (arXiv:1508.04025). Source and target share a vocabulary, whose
    embedding is tied to the output layer (arXiv:1608.05859). Tokens are int64; `pad`, `start` and
    `end` are the ids of the special tokens.
    """

    def __init__(
        self,
        *,
        vocabulary: int,
        width: int,
        layers: int,
        dropout: float,
        pad: int,
        start: int,
        end: int,
    ) -> None:
        super().__init__()
        self.pad, self.start, self.end, self.layers = pad, start, end, layers
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=pad)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        between = dropout if layers > 1 else 0.0
        self.encoder = nn.GRU(
            width, width // 2, layers, batch_first=True, bidirectional=True, dropout=between
        )
        self.decoder = nn.GRU(width, width, layers, batch_first=True, dropout=between)
        self.bridge = nn.Linear(width, width)
        self.query = nn.Linear(width, width, bias=False)
        self.mix = nn.Linear(2 * width, width)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.dropout = nn.Dropout(dropout)

    def encode(self, source: Tensor, mask: Tensor) -> EncodedTexts:
        """Encode texts: `source` of shape (n, tokens), and its `mask`, true for tokens."""
        lengths = mask.sum(dim=1)
        packed = pack_padded_sequence(
            self.embedded(source), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        out, last = self.encoder(packed)
        states, _ = pad_packed_sequence(out, batch_first=True, total_length=source.shape[1])
        both = last.unflatten(0, (self.layers, 2)).transpose(1, 2).flatten(2)
        return EncodedTexts(states, mask, torch.tanh(self.bridge(both)))

    def embedded(self, tokens: Tensor) -> Tensor:
        """Embeddings of tokens, shape (n, tokens, width)."""
        return self.dropout(self.embedding(tokens) * math.sqrt(self.embedding.embedding_dim))

    def decode(self, tokens: Tensor, state: Tensor, memory: EncodedTexts) -> tuple[Tensor, Tensor]:
        """Decode `tokens` of shape (n, steps) from a state.

        Returns:
            The decoder's output after each token, shape (n, steps, width), and the last state.
        """
        hidden, state = self.decoder(self.embedded(tokens), state.contiguous())
        scores = self.query(hidden) @ memory.states.transpose(1, 2)
        scores = scores / math.sqrt(hidden.shape[-1])
        scores = scores.masked_fill(~memory.mask[:, None, :], -torch.inf)
        context = torch.softmax(scores, dim=-1) @ memory.states
        return self.dropout(torch.tanh(self.mix(torch.cat([context, hidden], dim=-1)))), state

    def logits(self, outputs: Tensor) -> Tensor:
        """Logits of the next token, (..., vocabulary), from the decoder's output, (..., width)."""
        return functional.linear(outputs, self.embedding.weight, self.bias)

    def losses(
        self, memory: EncodedTexts, target: Tensor, mask: Tensor, smoothing: float
    ) -> Tensor:
        """Cross-entropy of each target under teacher forcing, summed over its tokens, in nats.

        Padding is left out before the output layer, which costs most.

        Args:
            memory: The encoded sources.
            target: Tokens from `start` to `end`, shape (n, tokens).
            mask: True for tokens of the target, false for padding.
            smoothing: Label smoothing.

        Returns:
            Shape (n,).
        """
        outputs, _ = self.decode(target[:, :-1], memory.start, memory)
        known = mask[:, 1:]
        logits = self.logits(outputs[known]).float()
        each = functional.cross_entropy(
            logits, target[:, 1:][known], reduction="none", label_smoothing=smoothing
        )
        return each.new_zeros(known.shape).masked_scatter(known, each).sum(dim=1)


def limits(mask: Tensor, longest: int) -> Tensor:
    """Token limit of each generated text, shape (n,): a function of its source alone, so that a
    text is cut at the same length in every batch."""
    return (2 * mask.sum(dim=1) + 10).clamp(max=longest)


@torch.no_grad()
def greedy(net: GruNet, memory: EncodedTexts, longest: int) -> list[list[int]]:
    """Greedy search: the tokens of each text, without start and end."""
    most = limits(memory.mask, longest)
    token = torch.full((len(most), 1), net.start, device=most.device)
    state, open_ = memory.start, torch.ones_like(most, dtype=torch.bool)
    generated: list[Tensor] = []
    for step in range(int(most.max())):
        outputs, state = net.decode(token, state, memory)
        token = net.logits(outputs[:, -1]).argmax(dim=-1, keepdim=True)
        open_ = open_ & (token[:, 0] != net.end) & (step < most)
        generated.append(torch.where(open_, token[:, 0], net.pad))
        if not open_.any():
            break
    return _without(net.pad, torch.stack(generated, dim=1))


@torch.no_grad()
def beam(
    net: GruNet, memory: EncodedTexts, longest: int, beams: int, penalty: float
) -> list[list[int]]:
    """Beam search with a length penalty: the tokens of each text, without start and end.

    A text's log-likelihood is divided by ((5 + tokens) / 6) ** penalty (Wu et al. 2016,
    arXiv:1609.08144): with 0 short texts are preferred, since they are likelier.
    """
    most = limits(memory.mask, longest)
    rows, device = len(most), most.device
    wide = memory.take(torch.arange(rows, device=device).repeat_interleave(beams))
    state, token = wide.start, torch.full((rows * beams, 1), net.start, device=device)
    scores = torch.full((rows, beams), -torch.inf, device=device)
    scores[:, 0] = 0.0  # all beams are the same empty text
    texts = torch.zeros((rows, beams, 0), dtype=torch.int64, device=device)
    best = torch.full((rows,), -torch.inf, device=device)
    results: list[list[int]] = [[] for _ in range(rows)]
    place = torch.arange(rows, device=device)[:, None]
    steps = int(most.max())
    for step in range(1, steps + 1):
        outputs, state = net.decode(token, state, wide)
        logits = net.logits(outputs[:, -1]).float()
        nexts = torch.log_softmax(logits, dim=-1).view(rows, beams, -1)
        nexts[:, :, net.pad] = nexts[:, :, net.start] = -torch.inf
        words = nexts.shape[-1]
        # Twice as many: at most one candidate of each beam is its end.
        top, index = (scores[:, :, None] + nexts).flatten(1).topk(2 * beams)
        parent, word = index // words, index % words
        ends = word == net.end
        length = ((5 + step) / 6) ** penalty
        whole = torch.where(ends, top / length, -torch.inf)
        # At its limit an open text is complete.
        whole = torch.where((most == step)[:, None] & ~ends, top / length, whole)
        value, chosen = whole[:, :beams].max(dim=1)
        for row in torch.nonzero((value > best) & (step <= most)).flatten().tolist():
            at = int(chosen[row])
            tail = [] if bool(ends[row, at]) else [int(word[row, at])]
            results[row] = [*texts[row, int(parent[row, at])].tolist(), *tail]
            best[row] = value[row]
        scores, surviving = top.masked_fill(ends, -torch.inf).topk(beams)
        parent, word = parent.gather(1, surviving), word.gather(1, surviving)
        texts = torch.cat([texts[place, parent], word[:, :, None]], dim=2)
        state = state[:, (place * beams + parent).flatten()]
        token = word.reshape(-1, 1)
        # An upper bound: the score of an open beam can only fall, but for the length penalty.
        bound = scores[:, 0] / ((5 + most) / 6) ** max(penalty, 0.0)
        if bool(((best >= bound) | (step >= most)).all()):
            break
    return results


def _without(pad: int, tokens: Tensor) -> list[list[int]]:
    return [[token for token in row if token != pad] for row in tokens.tolist()]


def write(
    net: GruNet, source: Tensor, mask: Tensor, *, longest: int, beams: int, penalty: float
) -> list[list[int]]:
    """Generate the tokens of a text for each source; one beam means greedy search."""
    with torch.no_grad():
        memory = net.encode(source, mask)
    if beams == 1:
        return greedy(net, memory, longest)
    return beam(net, memory, longest, beams, penalty)
