"""How texts are written by a pre-trained model of `transformers`.

This file goes into the registered model as it is and is run there, where this project is absent:
it imports torch and nothing else.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def settings(
    *,
    pad: int,
    start: int,
    end: int,
    longest: int,
    beams: int,
    penalty: float,
    joined: bool,
    alike: bool,
) -> dict[str, Any]:
    """How texts are written; what the library is to know of it, and nothing else that weights come
    with, stands under `generate`.

    Args:
        pad: token that fills up.
        start: token that an encoder-decoder's text begins after.
        end: token that ends a text.
        longest: most tokens of a text.
        beams: alternatives that are followed; 1 takes the likeliest next token.
        penalty: power of its tokens that a text's log-likelihood is divided by.
        joined: whether there is an encoder that reads.
        alike: whether only prompts of one length may go through together.
    """
    found: dict[str, Any] = {
        "do_sample": False,
        "num_beams": beams,
        "max_new_tokens": longest,
        "pad_token_id": pad,
        "eos_token_id": end,
    }
    if beams > 1:
        found |= {"length_penalty": penalty, "early_stopping": False}
    if joined:
        found["decoder_start_token_id"] = start
    return {"joined": joined, "alike": alike, "generate": found}


@torch.no_grad()
def written(net: Any, x: Tensor, mask: Tensor, how: dict[str, Any]) -> list[list[int]]:
    """The tokens that answer each text, without those that begin, end and fill up.

    Args:
        net: the network.
        x: tokens int64[n, length] of what is read, filled up at the right.
        mask: bool[n, length], true where there is a token.
        how: `settings`.
    """
    if not how["alike"]:
        return _together(net, x, mask, how)
    lengths = mask.sum(dim=1).tolist()
    found: list[list[int]] = [[] for _ in lengths]
    for length in sorted(set(lengths)):
        rows = [row for row, one in enumerate(lengths) if one == length]
        answers = _together(net, x[rows, :length], mask[rows, :length], how)
        for row, answer in zip(rows, answers, strict=True):
            found[row] = answer
    return found


def _together(net: Any, x: Tensor, mask: Tensor, how: dict[str, Any]) -> list[list[int]]:
    if not how["joined"]:  # a language model goes on where the prompt ends
        x, mask = to_the_right(x, mask)
    given = how["generate"]
    out = net.generate(input_ids=x, attention_mask=mask.long(), **given)
    rows = out[:, 1 if how["joined"] else x.shape[1] :].tolist()
    return [until(row, given["eos_token_id"], given["pad_token_id"]) for row in rows]


def to_the_right(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Rows that are filled up at the right, filled up at the left."""
    length = x.shape[1]
    shift = length - mask.sum(dim=1, keepdim=True)
    place = (torch.arange(length, device=x.device)[None] - shift) % length
    return x.gather(1, place), mask.gather(1, place)


def until(tokens: list[int], end: int, pad: int) -> list[int]:
    """What stands before the end."""
    whole = tokens[: tokens.index(end)] if end in tokens else tokens
    return [token for token in whole if token != pad]
