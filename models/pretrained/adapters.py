"""Parameter-efficient fine-tuning by `peft`: LoRA, AdaLoRA, IA3, prefix and prompt tuning."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn

from conf.runtime.errors import BadInput
from conf.schema.pretrained import FineTuned
from models.optimizers import UNDECAYED
from models.pretrained.adalora import PARTS

MERGEABLE = ("lora", "adalora", "ia3")
"""Adapters that are merged into the layers for inference."""
VIRTUAL_TOKENS = ("prefix", "prompt")
"""Learnt virtual tokens, which stay beside the network."""
ADAPTERS = (*MERGEABLE, *VIRTUAL_TOKENS)
USUAL = "_TARGET_MODULES_MAPPING"
INNER = "TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING"


def with_adapters(net: Any, model: FineTuned, whole: Collection[str], task: str) -> nn.Module:
    """The network with trainable adapters, everything else frozen.

    Args:
        net: the network.
        model: settings; `lora` (arXiv:2106.09685), `adalora` (arXiv:2303.10512), `ia3`
            (arXiv:2205.05638), `prefix` (arXiv:2101.00190) or `prompt` (arXiv:2104.08691).
        whole: names of weights that are trained themselves, without an adapter.
        task: task type of `peft`; virtual tokens depend on it.

    Raises:
        BadInput: no layer matches `targets`, a layer that does shares its weight with another one,
            or the network does not support the adapter.
    """
    import peft

    own = {name: parameter for name, parameter in net.named_parameters() if name in whole}
    tied = tied_modules(net)
    common: dict[str, Any] = {"task_type": task}
    if model.tune in MERGEABLE:
        # With a task type, peft would train copies of the modules that it takes for the head.
        excluded = {name.rpartition(".")[0] for name in own}
        if model.lora.targets in ("auto", "all-linear"):
            excluded |= set(tied)
        common = {"exclude_modules": sorted(excluded) or None}
        _refuse_tied(net, model, tied)
    try:
        adapted = peft.get_peft_model(net, _adapter_config(net, model, common))
    # transformers raises the last one if it does not know a network's input embeddings.
    except (ValueError, KeyError, AttributeError, NotImplementedError) as error:
        first = (str(error).splitlines() or [""])[0].split(". ")[0][:120]
        if model.tune in VIRTUAL_TOKENS:
            raise BadInput(
                f"model.tune: {model.tune} does not go with this network ({first}); use lora"
            ) from error
        raise BadInput(
            f"model.lora.targets: {model.lora.targets} does not fit this network ({first}); use "
            f"all-linear, or names of its layers: {_linear_names(net)}"
        ) from error
    for name, parameter in adapted.named_parameters():
        if ".ia3_" in name:  # a factor, of shape (n, 1)
            setattr(parameter, UNDECAYED, True)
    replaced = {p for name, p in adapted.named_parameters() if ".original_module." in name}
    for parameter in own.values():
        parameter.requires_grad_(parameter not in replaced)
    return adapted


def tied_modules(net: nn.Module) -> dict[str, str]:
    """Modules that share their weight with another one, each with the name of one of these.

    Examples are the input and output embeddings of GPT-2, T5 and BART (arXiv:1608.05859).
    """
    owners: dict[int, list[str]] = {}
    for name, module in net.named_modules(remove_duplicate=False):
        for parameter in module.parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(name)
    shared = [names for names in owners.values() if len(names) > 1]
    return {name: next(n for n in names if n != name) for names in shared for name in names}


def _refuse_tied(net: nn.Module, model: FineTuned, tied: dict[str, str]) -> None:
    """Raise BadInput if a named target is tied: merging its adapter would change both modules,
    while only one of them was trained with it."""
    targets = model.lora.targets.split(",")
    for name, other in tied.items():
        if any(name == target or name.endswith(f".{target}") for target in targets):
            raise BadInput(
                f"model.lora.targets: {name} shares its weight with {other}, so that an adapter "
                f"merged into it would change both; leave it out (other layers: "
                f"{_linear_names(net)})"
            )


MOST_NAMES = 12
"""Most layer names in an error message."""


def _linear_names(net: nn.Module) -> str:
    """Distinct last name parts of the linear layers."""
    from transformers.pytorch_utils import Conv1D

    linear = (name for name, each in net.named_modules() if isinstance(each, nn.Linear | Conv1D))
    names = list(dict.fromkeys(name.rpartition(".")[2] for name in linear))
    return ", ".join([*names[:MOST_NAMES], *(["..."] if len(names) > MOST_NAMES else [])])


def _adapter_config(net: Any, model: FineTuned, common: dict[str, Any]) -> Any:
    """The configuration of the adapter for `peft`."""
    import peft

    if model.tune == "prefix":
        return peft.PrefixTuningConfig(**common, num_virtual_tokens=model.virtual)
    if model.tune == "prompt":
        return peft.PromptTuningConfig(
            **common, num_virtual_tokens=model.virtual, prompt_tuning_init="SAMPLE_VOCAB"
        )
    usual = getattr(peft.utils, f"TRANSFORMERS_MODELS_TO_{model.tune.upper()}{USUAL}")
    known = net.config.model_type in usual
    chosen: str | list[str] | None = model.lora.targets.split(",")
    if model.lora.targets == "auto":
        chosen = None if known else "all-linear"
    elif model.lora.targets == "all-linear":
        chosen = "all-linear"
    if model.tune == "ia3":
        inner = getattr(peft.utils, INNER).get(net.config.model_type, ())
        named = chosen if isinstance(chosen, list) else ()
        return peft.IA3Config(
            **common,
            target_modules=chosen,
            feedforward_modules=None if chosen is None else [n for n in named if n in inner],
        )
    low_rank = {
        **common,
        "lora_alpha": model.lora.alpha,
        "lora_dropout": model.lora.dropout,
        "target_modules": chosen,
    }
    if model.tune == "lora":
        return peft.LoraConfig(**low_rank, r=model.lora.rank)
    ranks = model.adalora
    return peft.AdaLoraConfig(
        **low_rank,
        target_r=model.lora.rank,
        init_r=round(ranks.begin * model.lora.rank),
        orth_reg_weight=ranks.orthogonal,
        total_step=PARTS,
        tinit=round(ranks.wait * PARTS),
        tfinal=round(ranks.settle * PARTS),
    )
