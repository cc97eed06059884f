"""Tiny transformers that write, with random weights and a tokenizer of their own, as
`save_pretrained` writes them, and pairs that they can learn: words said in capitals."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
SMALL = tuple("abcdefgh")
LARGE = tuple("ABCDEFGH")
MARKS = (":",)
WORDS = (*SPECIAL, *SMALL, *LARGE, *MARKS)
PAD, START, END = 0, 2, 3
COMMON: dict[str, Any] = {"vocab_size": len(WORDS), "pad_token_id": PAD, "eos_token_id": END}


def t5(**changes: Any) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    return T5ForConditionalGeneration(
        T5Config(
            **COMMON,
            d_model=16,
            d_kv=8,
            d_ff=32,
            num_layers=1,
            num_heads=2,
            decoder_start_token_id=PAD,
            **changes,
        )
    )


def bart(**changes: Any) -> Any:
    from transformers import BartConfig, BartForConditionalGeneration

    sides = {f"{side}_{name}": 1 for side in ("encoder", "decoder") for name in ("layers",)}
    return BartForConditionalGeneration(
        BartConfig(
            **COMMON,
            **sides,
            d_model=16,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            max_position_embeddings=32,
            bos_token_id=START,
            decoder_start_token_id=END,
            forced_eos_token_id=None,
            **changes,
        )
    )


def bert(**changes: Any) -> Any:
    from transformers import BertConfig, BertModel

    return BertModel(
        BertConfig(
            vocab_size=len(WORDS),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=32,
            **changes,
        )
    )


def gpt2(**changes: Any) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(
        GPT2Config(
            **{**COMMON, **changes},
            n_embd=16,
            n_layer=2,
            n_head=2,
            n_positions=48,
            bos_token_id=START,
        )
    )


def llama(**changes: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            **COMMON,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=48,
            bos_token_id=START,
            **changes,
        )
    )


NETS = {"t5": t5, "bart": bart, "bert": bert, "gpt2": gpt2, "llama": llama}
AROUND = {
    "t5": "$A [SEP]",
    "bart": "[CLS] $A [SEP]",
    "bert": "[CLS] $A [SEP]",
    "gpt2": "$A",
    "llama": "[CLS] $A",
}
"""What the tokenizer of each puts around a text."""


def tiny_writer(folder: Path, kind: str, *, pad: bool = True, **changes: Any) -> Path:
    """Write a network of about 5,000 weights, with changes to its configuration, and its
    tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    torch.manual_seed(0)
    NETS[kind](**changes).save_pretrained(folder)
    known = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=AROUND[kind], special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "[PAD]"} if pad else {}))
    return folder


def capitals(file: Path, rows: int = 120) -> Path:
    """Write pairs of 1 to 5 words."""
    draw = random.Random(0)
    found: dict[str, None] = {}
    while len(found) < rows:
        found[" ".join(draw.choices(SMALL, k=draw.randint(1, 5)))] = None
    file.write_text("".join(f"{text}\t{text.upper()}\n" for text in found))
    return file


def study_of(kind: str, weights: str, **model: Any) -> dict[str, Any]:
    """A study of `capitals.tsv` and the model in a folder, both below `DENSE_DATA`."""
    prompt = {"prompt": "{source} :"} if kind == "causal" else {}
    return {
        "name": "tiny",
        "data": {"source": "pairs", "path": "capitals.tsv"},
        "clean": {"text": {"vocabulary": 300, "tokens": 24}, "duplicates": "keep"},
        "split": {"by": "group", "validation": 0.2, "test": 0.1},
        "model": {
            "kind": kind,
            "weights": {"source": "local", "path": weights},
            "tokens": 16,
            "answer": 12,
            "smoothing": 0.0,
            **prompt,
            **model,
        },
        "train": {"epochs": 2, "steps_per_epoch": 12, "batch_size": 16, "lr": 1e-2},
        "evaluate": {
            "objective": "perplexity",
            "metrics": ["perplexity", "chrf", "exact_match", "rougeL"],
        },
    }
