"""Tiny transformers of many architectures with random weights, as `save_pretrained` writes them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.tiny import tiny_bert

WORDS = 28
"""Tokens of the vocabulary that `tests.tiny` writes."""
LAYERS: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
BERT: dict[str, Any] = {"vocab_size": WORDS, "max_position_embeddings": 64, **LAYERS}
SIDES = {
    f"{side}_{name}": value
    for side in ("encoder", "decoder")
    for name, value in (("layers", 2), ("ffn_dim", 32), ("attention_heads", 2))
}
SMALL: dict[str, Any] = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 3, 2]}
NETS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("BertModel", "BertConfig", BERT),
    "no pooler": ("BertForMaskedLM", "BertConfig", BERT),
    "distilbert": (
        "DistilBertModel",
        "DistilBertConfig",
        {"vocab_size": WORDS, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    ),
    "deberta": (
        "DebertaV2Model",
        "DebertaV2Config",
        {**BERT, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    ),
    "t5": (
        "T5ForConditionalGeneration",
        "T5Config",
        {"vocab_size": WORDS, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2}
        | {"num_heads": 2, "decoder_start_token_id": 0, "eos_token_id": 3},
    ),
    "bart": (
        "BartModel",
        "BartConfig",
        {"vocab_size": WORDS, "d_model": 16, "max_position_embeddings": 64, **SIDES}
        | {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3},
    ),
    "gpt2": (
        "GPT2Model",
        "GPT2Config",
        {"vocab_size": WORDS, "n_embd": 16, "n_layer": 2, "n_head": 2, "pad_token_id": 7},
    ),
    "xlnet": (
        "XLNetModel",
        "XLNetConfig",
        {"vocab_size": WORDS, "d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32},
    ),
    "vit": ("ViTModel", "ViTConfig", {**LAYERS, "image_size": 16, "patch_size": 8}),
    "classifying vit": (
        "ViTForImageClassification",
        "ViTConfig",
        {**LAYERS, "image_size": 16, "patch_size": 8},
    ),
    "convnext": ("ConvNextModel", "ConvNextConfig", SMALL),
    "resnet": ("ResNetModel", "ResNetConfig", {**SMALL, "embedding_size": 8}),
}


def tiny_net(folder: Path, name: str, **changes: Any) -> Path:
    """Write one of the networks, and of those that read texts the tokenizer of `tests.tiny`."""
    import torch
    import transformers

    net, config, settings = NETS[name]
    torch.manual_seed(0)
    described = getattr(transformers, config)(**{**settings, **changes})
    if "vocab_size" in settings:
        tokens = tiny_bert(folder.with_name(f"{folder.name}-tokens"))
        shutil.copytree(tokens, folder, ignore=shutil.ignore_patterns("model*", "config*"))
        (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "[PAD]"}))
    getattr(transformers, net)(described).save_pretrained(folder)
    return folder
