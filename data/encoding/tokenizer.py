"""Texts as tokens, by the tokenizer that a pre-trained model comes with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from conf.runtime.errors import BadInput
from conf.runtime.types import Ints
from conf.schema.pretrained import Head, Transformer
from conf.schema.seq2seq import Causal, Seq2Seq

TOKENIZER = "tokenizer.json"
PADDING = "<pad>"
"""The prepared encoding's token that fills up shorter texts."""
VOCABULARY = (".txt", ".json")
SHIFTED = (
    "roberta", "camembert", "mpnet", "longformer", "xmod", "data2vec-text", "esm", "ibert",
    "layoutlmv3", "lilt", "luke", "markuplm", "altclip",
)  # fmt: skip
"""Architectures that count positions from behind the padding token, as RoBERTa does."""
USUAL_PAD = 1
"""Number of their padding token where `config.json` gives none."""
PROBES = 1_000
"""Most tokens of a vocabulary that are tried as a probe text."""
BLOCK = 1_000
Reader = Transformer | Head | Seq2Seq | Causal
"""Settings of models that read texts in their own tokens."""
Tokens = Ints


@dataclass(frozen=True)
class Rules:
    """How tokens become what a model reads; served models carry these as JSON."""

    before: tuple[int, ...]
    """Special tokens at the beginning of every text."""
    after: tuple[int, ...]
    """And at its end."""
    pad: int
    """Token that fills up shorter texts."""
    most: int
    """Most tokens of a text, special ones included."""
    cut: str
    """Where a longer text is cut: `end`, `start` or `middle`."""

    def __call__(self, content: Sequence[int]) -> list[int]:
        """The tokens of one text, cut and between the special ones; at least one token."""
        room = max(self.most - len(self.before) - len(self.after), 1)
        whole = [*self.before, *shortened(list(content), room, self.cut), *self.after]
        return whole or [self.pad]


def shortened(content: list[int], room: int, cut: str) -> list[int]:
    """At most `room` tokens of a text."""
    if len(content) <= room:
        return content
    if cut == "start":
        return content[-room:]
    if cut == "middle":
        first = -(-room // 2)
        return content[:first] + content[len(content) - (room - first) :]
    return content[:room]


class Encoder:
    """A tokenizer and the rules of the model that it belongs to."""

    def __init__(self, tokenizer: Tokenizer, rules: Rules) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        # `</s>` in a text is no end of the text, and a second one would even end a BART's trial.
        tokenizer.encode_special_tokens = True
        self.tokenizer, self.rules = tokenizer, rules

    def __call__(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text, as int64."""
        found: list[Tokens] = []
        for first in range(0, len(texts), BLOCK):
            block = list(texts[first : first + BLOCK])
            plain = self.tokenizer.encode_batch_fast(block, add_special_tokens=False)
            found += [np.array(self.rules(one.ids), dtype=np.int64) for one in plain]
        return found


def prepared_encoder(parts: Path) -> Encoder:
    """The encoding that the training part gave (`clean.text`), as its file says it; `parts` is the
    folder of the prepared parts."""
    tokenizer = Tokenizer.from_file(str(parts / TOKENIZER))
    cut, pad = tokenizer.truncation, tokenizer.token_to_id(PADDING)
    assert cut is not None and pad is not None  # as `prepare` has trained it
    return Encoder(tokenizer, Rules((), (), pad, cut["max_length"], "end"))


def encoder_of(model: Reader, folder: Path, facts: dict[str, Any]) -> Encoder:
    """The tokenizer in a model's folder.

    Args:
        model: the study's settings.
        folder: the model's files.
        facts: what its `config.json` says.

    Raises:
        BadInput: there is no tokenizer, it has no token to pad with, or texts may become longer
            than the model can read.
    """
    tokenizer = _tokenizer(folder)
    half = facts.get("encoder")  # of an encoder-decoder that was joined
    longest = longest_read(half if isinstance(half, dict) else facts)
    if longest is not None and model.tokens + taken(model) > longest:
        beside = f" beside {taken(model)} that are learnt" if taken(model) else ""
        raise BadInput(
            f"model.tokens: {model.tokens} is more than the {longest} tokens that the model reads"
            f"{beside}; lower it"
        )
    before, after = _special(tokenizer, folder)
    if model.tokens <= len(before) + len(after):
        raise BadInput(f"model.tokens: {model.tokens} leaves no room beside the special tokens")
    pad = _pad(model, tokenizer, folder)
    check_embeddings(tokenizer, (*before, *after, pad), facts, folder)
    return Encoder(tokenizer, Rules(before, after, pad, model.tokens, model.cut))


def check_embeddings(
    tokenizer: Tokenizer, numbers: Sequence[int], facts: Mapping[str, Any], folder: Path
) -> None:
    """Check that the model has an embedding for every token that can occur.

    Args:
        tokenizer: of the model. Special tokens that no text contains and `numbers` leaves out need
            no embedding.
        numbers: special tokens that are used.
        facts: `config.json`.
        folder: of the weights.

    Raises:
        BadInput: a token has no embedding.
    """
    rows = vocabulary_size(facts)
    if rows is None:
        return
    special = {n for n, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    used = {n: name for name, n in tokenizer.get_vocab().items() if n not in special}
    used |= {number: tokenizer.id_to_token(number) or str(number) for number in numbers}
    if (number := max(used, default=0)) >= rows:
        raise BadInput(
            f"model.weights: token {used[number]!r} of the tokenizer in {folder} has the number "
            f"{number}, and the model has embeddings for {rows} tokens; resize them to the "
            "tokenizer (`model.resize_token_embeddings(len(tokenizer))`) and save both again, or "
            "name another token as model.pad if it is that one"
        )


def vocabulary_size(facts: Mapping[str, Any]) -> int | None:
    """Number of token embeddings by `config.json`; None if it gives none."""
    nested = [facts[name] for name in ("text_config", "encoder") if name in facts]
    for each in (facts, *(one for one in nested if isinstance(one, Mapping))):
        for name in ("vocab_size", "n_words"):
            if isinstance(each.get(name), int):
                return int(each[name])
    return None


def taken(model: Reader) -> int:
    """Positions that tokens which are learnt take."""
    learnt = not isinstance(model, Head) and model.tune in ("prefix", "prompt")
    return model.virtual if learnt else 0  # type: ignore[union-attr]


def longest_read(facts: dict[str, Any]) -> int | None:
    """Most tokens that a model has positions for; None where it counts them otherwise."""
    relative = "relative_attention_num_buckets" in facts  # T5 names a length that binds it to none
    longest = facts.get("max_position_embeddings", None if relative else facts.get("n_positions"))
    shifted = any(name in facts["model_type"] for name in SHIFTED)
    pad = facts.get("pad_token_id")
    first = 1 + int(USUAL_PAD if pad is None else pad) if shifted else 0
    return longest - first if isinstance(longest, int) else None


def _tokenizer(folder: Path) -> Tokenizer:
    try:
        if (folder / TOKENIZER).is_file():
            return Tokenizer.from_file(str(folder / TOKENIZER))
        if not any(path.suffix in VOCABULARY for path in folder.glob("*vocab*")) and not any(
            folder.glob("*.model")
        ):  # the library would make up an empty one
            raise FileNotFoundError("there is no vocabulary")
        from transformers import AutoTokenizer

        found = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        return Tokenizer.from_str(found.backend_tokenizer.to_str())
    except Exception as error:  # the libraries raise bare exceptions
        raise BadInput(
            f"model.weights: the tokenizer in {folder} cannot be read "
            f"({(str(error).splitlines() or [''])[0][:160]}); it needs a {TOKENIZER}"
        ) from error


def _special(tokenizer: Tokenizer, folder: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens that the tokenizer's template puts before and after every text.

    They are read off a probe: its own tokens have a sequence number, those of the template none.

    Raises:
        BadInput: no text has a token.
    """
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    for probe in _probes(tokenizer):
        encoding = _encoding(tokenizer, probe)
        sequences = [] if encoding is None else encoding.sequence_ids
        own = [place for place, each in enumerate(sequences) if each is not None]
        if encoding is not None and own:
            return tuple(encoding.ids[: own[0]]), tuple(encoding.ids[own[-1] + 1 :])
    raise BadInput(
        f"model.weights: the tokenizer in {folder} has no token for any text; save the tokenizer "
        "that the model was trained with"
    )


def _encoding(tokenizer: Tokenizer, text: str) -> Encoding | None:
    """A text in its template; None if the tokenizer has no token for it, not even an unknown
    one."""
    try:
        return tokenizer.encode(text)
    except Exception:  # the library raises bare exceptions
        return None


def _probes(tokenizer: Tokenizer) -> Iterator[str]:
    """Texts of which one at least has a token: a letter, then the vocabulary's own tokens."""
    yield "a"
    special = tokenizer.get_added_tokens_decoder()
    numbers = [n for n in sorted(tokenizer.get_vocab().values()) if n not in special]
    for number in numbers[:PROBES]:
        yield tokenizer.decode([number])
        yield tokenizer.id_to_token(number) or ""


def _pad(model: Reader, tokenizer: Tokenizer, folder: Path) -> int:
    name = model.pad or _named(folder)
    number = None if name is None else tokenizer.token_to_id(name)
    if number is None:
        wrong = "no token to pad with" if name is None else f"no token {name!r}"
        raise BadInput(
            f"model.weights: the tokenizer in {folder} has {wrong}; name one that it has as "
            "model.pad, such as its end token"
        )
    return number


def _named(folder: Path) -> str | None:
    """The padding token that the tokenizer's files name."""
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / file).is_file():
            found = json.loads((folder / file).read_text(encoding="utf-8")).get("pad_token")
            if found := found.get("content") if isinstance(found, dict) else found:
                return str(found)
    return None
