"""A compact encoder-decoder that writes texts: recurrent, with attention; and the search for texts.

This file goes into the registered model as it is and is run there, where this project is absent:
it imports torch and nothing else.
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
    """What the encoder made of n texts."""

    states: Tensor
    """(n, source tokens, width)"""
    mask: Tensor
    """(n, source tokens), true where there is a token."""
    start: Tensor
    """State that the decoder starts from: (layers, n, width)."""

    def take(self, rows: Tensor) -> EncodedTexts:
        """Of these texts only, in this order."""
        return EncodedTexts(self.states[rows], self.mask[rows], self.start[:, rows])


class GruNet(nn.Module):
    """A bidirectional GRU reads, another GRU writes and looks back by attention.

    Source and target share one vocabulary, and one table is the embedding of both and the output
    layer. Tokens are int64; `pad`, `start` and `end` are their numbers in the vocabulary.
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
        """Read texts: `source` (n, tokens) and `mask`, true where there is a token."""
        lengths = mask.sum(dim=1)
        packed = pack_padded_sequence(
            self.embedded(source), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        out, last = self.encoder(packed)
        states, _ = pad_packed_sequence(out, batch_first=True, total_length=source.shape[1])
        both = last.unflatten(0, (self.layers, 2)).transpose(1, 2).flatten(2)
        return EncodedTexts(states, mask, torch.tanh(self.bridge(both)))

    def embedded(self, tokens: Tensor) -> Tensor:
        """Tokens as vectors, (n, tokens, width)."""
        return self.dropout(self.embedding(tokens) * math.sqrt(self.embedding.embedding_dim))

    def decode(self, tokens: Tensor, state: Tensor, memory: EncodedTexts) -> tuple[Tensor, Tensor]:
        """What is thought after each of `tokens` (n, steps): (n, steps, width), and the state
        after the last."""
        written, state = self.decoder(self.embedded(tokens), state.contiguous())
        scores = self.query(written) @ memory.states.transpose(1, 2)
        scores = scores / math.sqrt(written.shape[-1])
        scores = scores.masked_fill(~memory.mask[:, None, :], -torch.inf)
        seen = torch.softmax(scores, dim=-1) @ memory.states
        return self.dropout(torch.tanh(self.mix(torch.cat([seen, written], dim=-1)))), state

    def logits(self, thoughts: Tensor) -> Tensor:
        """Logits of the next token, (..., vocabulary), from (..., width)."""
        return functional.linear(thoughts, self.embedding.weight, self.bias)

    def losses(
        self, memory: EncodedTexts, target: Tensor, mask: Tensor, smoothing: float
    ) -> Tensor:
        """Loss of each target, the sum over its tokens in nats, shape (n,).

        `target` (n, tokens) goes from start to end and is given to the decoder; `mask` is true
        where it has a token. The output layer, which costs most, sees no padding.
        """
        thoughts, _ = self.decode(target[:, :-1], memory.start, memory)
        known = mask[:, 1:]
        logits = self.logits(thoughts[known]).float()
        each = functional.cross_entropy(
            logits, target[:, 1:][known], reduction="none", label_smoothing=smoothing
        )
        return each.new_zeros(known.shape).masked_scatter(known, each).sum(dim=1)


def limits(mask: Tensor, longest: int) -> Tensor:
    """The most tokens that each text may be answered with: a text that does not end by itself is
    cut, at a length that does not depend on its neighbours."""
    return (2 * mask.sum(dim=1) + 10).clamp(max=longest)


@torch.no_grad()
def greedy(net: GruNet, memory: EncodedTexts, longest: int) -> list[list[int]]:
    """Always the likeliest next token: for each text its tokens, without start and end."""
    most = limits(memory.mask, longest)
    token = torch.full((len(most), 1), net.start, device=most.device)
    state, open_ = memory.start, torch.ones_like(most, dtype=torch.bool)
    written: list[Tensor] = []
    for step in range(int(most.max())):
        thoughts, state = net.decode(token, state, memory)
        token = net.logits(thoughts[:, -1]).argmax(dim=-1, keepdim=True)
        open_ = open_ & (token[:, 0] != net.end) & (step < most)
        written.append(torch.where(open_, token[:, 0], net.pad))
        if not open_.any():
            break
    return _without(net.pad, torch.stack(written, dim=1))


@torch.no_grad()
def beam(
    net: GruNet, memory: EncodedTexts, longest: int, beams: int, penalty: float
) -> list[list[int]]:
    """The likeliest whole text among those that `beams` alternatives a step lead to.

    A text's log-likelihood is divided by ((5 + tokens) / 6) ** penalty: with 0 short texts are
    preferred, as they are likelier, with more longer ones.
    """
    most = limits(memory.mask, longest)
    rows, device = len(most), most.device
    wide = memory.take(torch.arange(rows, device=device).repeat_interleave(beams))
    state, token = wide.start, torch.full((rows * beams, 1), net.start, device=device)
    scores = torch.full((rows, beams), -torch.inf, device=device)
    scores[:, 0] = 0.0  # all alternatives are the same text still
    texts = torch.zeros((rows, beams, 0), dtype=torch.int64, device=device)
    best = torch.full((rows,), -torch.inf, device=device)
    found: list[list[int]] = [[] for _ in range(rows)]
    place = torch.arange(rows, device=device)[:, None]
    steps = int(most.max())
    for step in range(1, steps + 1):
        thoughts, state = net.decode(token, state, wide)
        logits = net.logits(thoughts[:, -1]).float()
        nexts = torch.log_softmax(logits, dim=-1).view(rows, beams, -1)
        nexts[:, :, net.pad] = nexts[:, :, net.start] = -torch.inf
        words = nexts.shape[-1]
        # Twice as many: at most one of each alternative's is its end.
        top, index = (scores[:, :, None] + nexts).flatten(1).topk(2 * beams)
        parent, word = index // words, index % words
        ends = word == net.end
        length = ((5 + step) / 6) ** penalty
        whole = torch.where(ends, top / length, -torch.inf)
        # At a text's limit what there is counts as whole.
        whole = torch.where((most == step)[:, None] & ~ends, top / length, whole)
        value, chosen = whole[:, :beams].max(dim=1)
        for row in torch.nonzero((value > best) & (step <= most)).flatten().tolist():
            at = int(chosen[row])
            tail = [] if bool(ends[row, at]) else [int(word[row, at])]
            found[row] = [*texts[row, int(parent[row, at])].tolist(), *tail]
            best[row] = value[row]
        scores, kept = top.masked_fill(ends, -torch.inf).topk(beams)
        parent, word = parent.gather(1, kept), word.gather(1, kept)
        texts = torch.cat([texts[place, parent], word[:, :, None]], dim=2)
        state = state[:, (place * beams + parent).flatten()]
        token = word.reshape(-1, 1)
        # What is open can only become worse, but for the penalty at its limit.
        hope = scores[:, 0] / ((5 + most) / 6) ** max(penalty, 0.0)
        if bool(((best >= hope) | (step >= most)).all()):
            break
    return found


def _without(pad: int, tokens: Tensor) -> list[list[int]]:
    return [[token for token in row if token != pad] for row in tokens.tolist()]


def write(
    net: GruNet, source: Tensor, mask: Tensor, *, longest: int, beams: int, penalty: float
) -> list[list[int]]:
    """Tokens of the text that answers each source; `beams` 1 is greedy."""
    with torch.no_grad():
        memory = net.encode(source, mask)
    if beams == 1:
        return greedy(net, memory, longest)
    return beam(net, memory, longest, beams, penalty)
