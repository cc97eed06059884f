"""Tokens of pre-trained models: templates, special tokens inside texts, embeddings for all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from conf.runtime.errors import BadInput
from conf.schema.study import Study
from data.encoding.pair_tokenizer import pair_encoder
from data.encoding.tokenizer import encoder_of, longest_read
from tasks.packaging.pyfunc_seq2seq import PretrainedGenerator
from tests.tiny import study_of
from tests.tiny_writers import study_of as pairs_of

KNOWN = {"<pad>": 0, "<s>": 1, "</s>": 2, "red": 3, "green": 4, "<": 5, "/": 6, "s": 7, ">": 8}
FACTS = {"model_type": "bert", "vocab_size": len(KNOWN), "eos_token_id": 2}


def tokens_of(
    folder: Path, *, unknown: bool = False, template: str = "<s> $A </s>", **more: int
) -> Path:
    """Write a tokenizer of whole words, which has no token for an unknown one unless asked."""
    known = KNOWN | more
    words = models.WordLevel(known, unk_token="red") if unknown else models.WordPiece(known)
    tokenizer = Tokenizer(words)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    )
    tokenizer.add_special_tokens(["<pad>", "<s>", "</s>"])
    if "$A" in template:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<pad>"}))
    return folder


def encoder_in(folder: Path, facts: dict[str, Any] | None = None, **model: Any) -> Any:
    settings: Any = Study.model_validate(study_of(**model)).model
    return encoder_of(settings, folder, {**FACTS, **(facts or {})})


@pytest.mark.parametrize(
    ("template", "before", "after"),
    [
        ("<s> $A </s>", (1,), (2,)),
        ("$A </s>", (), (2,)),
        ("<s> $A", (1,), ()),
        ("</s> <s> $A </s> </s>", (2, 1), (2, 2)),
    ],
)
@pytest.mark.parametrize("unknown", [True, False])
def test_special_tokens_stay_where_the_template_puts_them(
    template: str, before: tuple[int, ...], after: tuple[int, ...], unknown: bool, tmp_path: Path
) -> None:
    rules = encoder_in(tokens_of(tmp_path, unknown=unknown, template=template)).rules
    assert (rules.before, rules.after) == (before, after)


def test_special_tokens_inside_a_text_are_plain_text(tmp_path: Path) -> None:
    encoder = encoder_in(tokens_of(tmp_path))
    assert encoder(["red </s> green"])[0].tolist() == [1, 3, 5, 6, 7, 8, 4, 2]
    assert encoder(["<s>"])[0].tolist() == [1, 5, 7, 8, 2]


def test_a_prompt_has_special_tokens_and_its_source_plain_text(tmp_path: Path) -> None:
    folder, prompt = tokens_of(tmp_path, template=""), "<s> {source} </s> green"
    settings: Any = Study.model_validate(pairs_of("causal", "any", prompt=prompt)).model
    encoder = pair_encoder(settings, folder, {**FACTS, "model_type": "gpt2"})
    texts = ["red", "red </s>", "green"]
    read = [each.tolist() for each in encoder.read(texts)]
    assert read == [[1, 3, 2, 4], [1, 3, 5, 6, 7, 8, 2, 4], [1, 4, 2, 4]]
    served: Any = object.__new__(PretrainedGenerator)
    rules = {"before": [], "after": [], "most": 16, "cut": "end", "pad": 0}
    served._card = {"prompt": prompt, "rules": rules}
    served.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    served.tokenizer.encode_special_tokens = True
    served._special = ["<pad>", "<s>", "</s>"]
    assert served.read(texts) == read


@pytest.mark.parametrize(
    ("facts", "more", "message"),
    [
        ({"vocab_size": 6}, {}, "token '>' of the tokenizer in .* number 8, .* for 6 tokens"),
        ({}, {"blue": 9}, "token 'blue' .* number 9, and the model has embeddings for 9 tokens"),
        ({"n_words": 4, "vocab_size": None}, {}, "for 4 tokens"),
        ({"vocab_size": None, "text_config": {"vocab_size": 5}}, {}, "for 5 tokens"),
    ],
)
def test_every_token_needs_an_embedding(
    facts: dict[str, Any], more: dict[str, int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=message):
        encoder_in(tokens_of(tmp_path, **more), facts)


def test_a_special_token_that_is_not_used_needs_none(tmp_path: Path) -> None:
    folder = tokens_of(tmp_path)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens(["<extra>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    assert encoder_in(folder)(["red"])[0].tolist() == [1, 3, 2]
    with pytest.raises(BadInput, match=r"token '<extra>' .* number 9"):
        encoder_in(folder, pad="<extra>")


def test_an_end_beyond_the_vocabulary_is_refused(tmp_path: Path) -> None:
    settings: Any = Study.model_validate(pairs_of("causal", "any")).model
    facts = {**FACTS, "model_type": "gpt2", "eos_token_id": 50256}
    with pytest.raises(BadInput, match=r"token '50256' .* embeddings for 9 tokens"):
        pair_encoder(settings, tokens_of(tmp_path), facts)


@pytest.mark.parametrize("name", ["roberta", "xlm-roberta", "camembert", "layoutlmv3", "luke"])
@pytest.mark.parametrize("pad", [{"pad_token_id": 1}, {}])
def test_positions_that_begin_behind_the_padding_token_are_two_fewer(
    name: str, pad: dict[str, int]
) -> None:
    assert longest_read({"model_type": name, "max_position_embeddings": 514, **pad}) == 512
