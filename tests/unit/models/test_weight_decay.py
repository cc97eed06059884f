"""Weight decay leaves out parameters by their role, in every family of architectures."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from conf.schema.train import Train
from models.modules.predictor import PredictorModule
from models.optimizers import build_optimizer, undecayed

TEXTS, IMAGES = "AutoModelForSequenceClassification", "AutoModelForImageClassification"
WRITERS = "AutoModelForSeq2SeqLM"
POSITIONS = "embeddings.position_embeddings"
EXEMPT: dict[str, tuple[str, set[str]]] = {
    "bert": (TEXTS, {f"{POSITIONS}.weight"}),
    "roberta": (TEXTS, {f"{POSITIONS}.weight"}),
    "ibert": (TEXTS, {f"{POSITIONS}.weight"}),
    "distilbert": (TEXTS, {f"{POSITIONS}.weight"}),
    "mpnet": (TEXTS, {f"{POSITIONS}.weight", "encoder.relative_attention_bias.weight"}),
    "gpt2": (TEXTS, {"transformer.wpe.weight"}),
    "openai-gpt": (TEXTS, {"transformer.positions_embed.weight"}),
    "xlm": (TEXTS, {"transformer.position_embeddings.weight"}),
    "llama": (TEXTS, set()),
    "bart": (TEXTS, {f"{side}.embed_positions.weight" for side in ("encoder", "decoder")}),
    "t5": (WRITERS, {"SelfAttention.relative_attention_bias.weight"}),
    "longt5": (
        WRITERS,
        {
            "SelfAttention.relative_attention_bias.weight",
            "LocalSelfAttention.relative_attention_bias.weight",
        },
    ),
    "xlnet": (
        TEXTS,
        {*(f"0.rel_attn.r_{name}_bias" for name in "rsw"), "transformer.mask_emb"},
    ),
    "vit": (IMAGES, {"vit.embeddings.cls_token", "vit.embeddings.position_embeddings"}),
    "beit": (IMAGES, {"beit.embeddings.cls_token"}),
    "dinov2_with_registers": (
        IMAGES,
        {
            f"dinov2_with_registers.embeddings.{name}"
            for name in ("cls_token", "mask_token", "position_embeddings", "register_tokens")
        },
    ),
    "swin": (IMAGES, {"attention.relative_position_bias.relative_position_bias_table"}),
    "swinv2": (IMAGES, {"attention.self.logit_scale"}),
    "convnext": (IMAGES, set()),
    "convnextv2": (IMAGES, {"grn.bias", "grn.weight"}),
    "resnet": (IMAGES, set()),
    "clip": (IMAGES, {"embeddings.position_embedding.weight"}),
}
ONE_LAYER = ("num_hidden_layers", "num_layers", "n_layer", "encoder_layers", "decoder_layers")


def net_of(name: str, auto: str) -> Any:
    """A network of the family's usual size without memory for its weights."""
    import transformers

    config = transformers.AutoConfig.for_model(name)
    for each in ONE_LAYER:
        if isinstance(getattr(config, each, None), int):
            setattr(config, each, 1)
    with torch.device("meta"):
        return getattr(transformers, auto).from_config(config)


@pytest.mark.parametrize("name", EXEMPT)
def test_parameters_of_several_dimensions_are_exempt_by_role(name: str) -> None:
    auto, names = EXEMPT[name]
    net = net_of(name, auto)
    exempt = undecayed(net)
    matrices = {path: p for path, p in net.named_parameters() if p.ndim > 1}
    chosen = {path for path, parameter in matrices.items() if parameter in exempt}
    assert all(any(path.endswith(suffix) for suffix in names) for path in chosen)
    assert all(any(path.endswith(suffix) for path in chosen) for suffix in names)
    for path, parameter in net.named_parameters():  # whatever else the role may be
        if re.search(r"norm\w*\.(weight|bias)$", path, re.IGNORECASE) or path.endswith(".bias"):
            assert parameter in exempt or parameter.ndim == 1, path


def test_the_module_of_a_trial_gives_them_no_weight_decay() -> None:
    from transformers import ConvNextV2Config, ConvNextV2ForImageClassification

    config = ConvNextV2Config(hidden_sizes=[4, 4], depths=[1, 1], num_stages=2)
    net = ConvNextV2ForImageClassification(config)
    module = PredictorModule(net, Train(weight_decay=0.1), 4)
    groups = module.configure_optimizers()["optimizer"].param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    for name, parameter in net.named_parameters():
        assert (id(parameter) in decayed) == (parameter.ndim > 1 and ".grn." not in name), name


def test_without_roles_the_number_of_dimensions_decides() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2))
    groups = build_optimizer(Train(weight_decay=0.1), net.parameters()).param_groups
    assert [len(group["params"]) for group in groups if group["weight_decay"]] == [1]
