"""Several short texts in one row of a language model, none of which sees another."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Pairs laid out in rows: (rows, length), and what is asked of them."""

    tokens: Tensor
    """int64: prompts, each followed by its answer but for the answer's last token."""
    owners_at: Tensor
    """int64: the pair that a token is of; -1 where there is none."""
    positions: Tensor
    """int64: a token's place in its own pair."""
    asked: Tensor
    """bool: after these tokens the next one is one of an answer."""
    answers: Tensor
    """int64, one for each that is asked, in their order: the token that should come."""
    owners: Tensor
    """int64, likewise: the pair that it is of."""

    @property
    def filled(self) -> Tensor:
        """bool: where there is a token."""
        return self.owners_at >= 0

    def sight(self) -> Tensor:
        """What a token may look at, (rows, 1, length, length), to be added to the scores: 0 for
        itself and those before it in its own pair, else the least number."""
        length = self.tokens.shape[1]
        before = torch.ones((length, length), dtype=torch.bool, device=self.tokens.device).tril()
        own = self.owners_at[:, :, None] == self.owners_at[:, None, :]
        hidden = ~(own & before)[:, None]
        return torch.zeros(hidden.shape, device=hidden.device).masked_fill(
            hidden, torch.finfo(torch.float32).min
        )


def packed(x: Tensor, mask: Tensor, y: Tensor, y_mask: Tensor, room: int) -> Rows:
    """Lay out prompts `x` and answers `y` in rows of at most `room` tokens, or a pair a row where
    that is 0.

    A pair is never divided; the longest come first, each into the first row that has room for it.
    """
    sizes = (mask.sum(dim=1) + y_mask.sum(dim=1) - 1).tolist()
    rows = placed(sizes, room) if room else [[pair] for pair in range(len(sizes))]
    longest = max(sum(sizes[pair] for pair in row) for row in rows)
    shape, device = (len(rows), longest), x.device
    tokens = torch.zeros(shape, dtype=torch.int64, device=device)
    owners = torch.full(shape, -1, dtype=torch.int64, device=device)
    positions, asked = torch.zeros_like(tokens), torch.zeros_like(tokens, dtype=torch.bool)
    answers = torch.zeros_like(tokens)
    for number, row in enumerate(rows):
        first = 0
        for pair in row:
            prompt, answer = x[pair][mask[pair]], y[pair][y_mask[pair]]
            here = slice(first, first + sizes[pair])
            said = slice(first + len(prompt) - 1, first + sizes[pair])
            tokens[number, here] = torch.cat([prompt, answer[:-1]])
            owners[number, here] = pair
            positions[number, here] = torch.arange(sizes[pair], device=device)
            asked[number, said], answers[number, said] = True, answer
            first += sizes[pair]
    return Rows(tokens, owners, positions, asked, answers[asked], owners[asked])


def placed(sizes: list[int], room: int) -> list[list[int]]:
    """Which of so many things go into which row."""
    rows: list[list[int]] = []
    left: list[int] = []
    for thing in sorted(range(len(sizes)), key=lambda thing: (-sizes[thing], thing)):
        fits = next((row for row, space in enumerate(left) if sizes[thing] <= space), None)
        if fits is None:
            rows.append([])
            left.append(max(room, sizes[thing]))
            fits = len(rows) - 1
        rows[fits].append(thing)
        left[fits] -= sizes[thing]
    return rows
