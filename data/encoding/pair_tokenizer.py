"""Pairs as tokens, by the tokenizer that a model which writes comes with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from conf.runtime.errors import BadInput
from conf.schema.seq2seq import Causal, Seq2Seq
from data.encoding.tokenizer import (
    Encoder,
    Tokens,
    check_embeddings,
    encoder_of,
    longest_read,
    taken,
)

Writer = Seq2Seq | Causal
TOGETHER = "model.tokens, model.answer and tokens that are learnt"


@dataclass(frozen=True)
class PairEncoder:
    """How the two sides of a pair become tokens."""

    source: Encoder
    """Of what is read."""
    target: Encoder
    """Of what is written: from the token that writing starts after to the one that ends it."""
    prompt: str | None = None
    """What is read, with `{source}` in place of the source; None where it is the source alone."""

    @property
    def start(self) -> int:
        """The token that writing starts after; a language model has no need of one."""
        return self.target.rules.before[0]

    @property
    def end(self) -> int:
        """The token that ends a text."""
        return self.target.rules.after[-1]

    def read(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of sources."""
        if self.prompt is None:
            return self.source(texts)
        content = prompt_tokens(self.source.tokenizer, self.prompt, texts)
        return [np.array(self.source.rules(each), dtype=np.int64) for each in content]


def prompt_tokens(tokenizer: Tokenizer, prompt: str, texts: Sequence[str]) -> list[list[int]]:
    """Tokens of each text in the prompt, without those of the template.

    Special tokens of the prompt are special tokens, as chat templates need; in a text they are
    plain text, and such a text is encoded by itself. `pyfunc_seq2seq` does the same.
    """
    special = [t.content for t in tokenizer.get_added_tokens_decoder().values() if t.special]
    plain = [text for text in texts if not any(token in text for token in special)]
    whole = iter(_encoded(tokenizer, [prompt.replace("{source}", each) for each in plain]))
    known = set(plain)
    return [next(whole) if text in known else _pieces(tokenizer, prompt, text) for text in texts]


def _pieces(tokenizer: Tokenizer, prompt: str, text: str) -> list[int]:
    """Tokens of a text with special tokens in it, which are plain text, between those of the
    prompt."""
    first, *rest = _encoded(tokenizer, prompt.split("{source}"))
    own = tokenizer.encode(text, add_special_tokens=False).ids
    return [*first, *(token for piece in rest for token in (*own, *piece))]


def _encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Tokens of texts whose special tokens are special tokens."""
    tokenizer.encode_special_tokens = False
    try:
        encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    finally:
        tokenizer.encode_special_tokens = True
    return [each.ids for each in encodings]


def pair_encoder(model: Writer, folder: Path, facts: dict[str, Any]) -> PairEncoder:
    """The tokens of both sides of pairs.

    Args:
        model: the study's settings.
        folder: the weights' files.
        facts: what its `config.json` says.

    Raises:
        BadInput: there is no tokenizer, it has no token to pad with or none that ends a text, or
            texts may become longer than the model can read or write.
    """
    source = encoder_of(model, folder, facts)
    _check_room(model, facts)
    rules, said = source.rules, {**facts, **_named(facts, "decoder")}
    end = _end(said, rules.after, folder)
    check_embeddings(source.tokenizer, (end,), said, folder)
    if isinstance(model, Causal):
        read = Encoder(source.tokenizer, replace(rules, after=()))
        spoken = replace(rules, before=(rules.pad,), after=(end,), most=model.answer + 1, cut="end")
        return PairEncoder(read, Encoder(source.tokenizer, spoken), model.prompt)
    start = said.get("decoder_start_token_id", facts.get("decoder_start_token_id"))
    if start is None:  # an encoder's: it begins as it reads
        start = rules.before[0] if rules.before else rules.pad
    check_embeddings(source.tokenizer, (int(start),), said, folder)
    before = rules.before[1:] if rules.before[:1] == (start,) else rules.before
    after = rules.after if rules.after[-1:] == (end,) else (*rules.after, end)
    spoken = replace(
        rules, before=(int(start), *before), after=after, most=model.answer + 1, cut="end"
    )
    return PairEncoder(source, Encoder(source.tokenizer, spoken))


def _named(facts: dict[str, Any], half: str) -> dict[str, Any]:
    """What the file of an encoder-decoder says of one half; nothing where it has no halves."""
    found = facts.get(half)
    return dict(found) if isinstance(found, dict) else {}


def _end(facts: dict[str, Any], after: tuple[int, ...], folder: Path) -> int:
    named = facts.get("eos_token_id")
    first = named[0] if isinstance(named, list) and named else named
    if first is None and after:
        first = after[-1]
    if not isinstance(first, int):
        raise BadInput(
            f"model.weights: {folder} names no token that ends a text; give eos_token_id in its "
            "config.json"
        )
    return first


def _check_room(model: Writer, facts: dict[str, Any]) -> None:
    """BadInput where a text may become longer than the positions that the model has."""
    longest = longest_read({**facts, **_named(facts, "decoder")})
    whole = model.answer + (model.tokens + taken(model) if isinstance(model, Causal) else 0)
    if longest is not None and whole > longest:
        sum_of = f"{TOGETHER} together" if whole > model.answer else "it"
        raise BadInput(
            f"model.answer: {sum_of} may be at most the {longest} tokens that the model has "
            f"positions for, not {whole}; lower it"
        )
