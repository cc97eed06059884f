"""Which parameters of a pre-trained network are trained, and how fast each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from conf.errors import BadInput
from conf.foundation import Adapted, Transformer, Tuned, Vision
from models.adalora import PARTS

MERGED = ("lora", "adalora", "ia3")
"""Additions to layers, which they are merged into at the end."""
LEARNT = ("prefix", "prompt")
"""Tokens that are learnt, and stay beside the network."""
ADAPTERS = (*MERGED, *LEARNT)
USUAL = "_TARGET_MODULES_MAPPING"
LAYER = re.compile(r"\.(\d+)\.")


def quiet() -> None:
    """Keep the library's reports of what it loads out of a trial's log; errors stay."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def load_classifier(
    auto: str,
    folder: Path,
    model: Transformer | Vision,
    classes: int,
    *,
    of: str,
    form: str,
    complete: Callable[[Any], None] | None = None,
) -> Any:
    """A classifier of `transformers` from the files in a folder, with its own head or a new one.

    Args:
        auto: the library's class that chooses the architecture.
        folder: the weights' files.
        model: the study's settings.
        classes: that it tells apart.
        of: what it classifies, in the plural.
        form: what the library calls such models.
        complete: adds to the configuration what its files leave open.

    Raises:
        BadInput: the architecture has no such form, or the files cannot be read.
    """
    import transformers

    quiet()
    try:
        config = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, num_labels=classes
        )
        set_dropout(config, model.dropout)
        if complete is not None:
            complete(config)
        net = getattr(transformers, auto).from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            ignore_mismatched_sizes=model.head == "new",
        )
    except (ValueError, OSError, RuntimeError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise BadInput(
            f"model.weights: {folder} cannot be loaded to classify {of} ({reason}); choose a "
            f"model of an architecture that has {'an' if form[0] in 'aeiou' else 'a'} {form} form"
        ) from error
    if model.head == "new":
        begin_head(net)
    return net


def set_dropout(config: Any, dropout: float | None) -> None:
    """Set every kind of dropout that the architecture's configuration has."""
    if dropout is None:
        return
    known = [
        name
        for name in vars(config)
        if ("dropout" in name or name.endswith("_pdrop")) and "layer" not in name
    ]
    if not known:
        raise BadInput("model.dropout: this architecture has no dropout; leave it out")
    for name in known:
        setattr(config, name, dropout)


def begin_head(net: Any) -> None:
    """Draw anew everything that is no part of the model below the head."""
    for name in heads_of(net):
        for each in getattr(net, name).modules():
            reset = getattr(each, "reset_parameters", None)
            if reset is not None:
                reset()


def adapted(net: Any, model: Adapted, **beside: Any) -> nn.Module:
    """The network with small additions to be trained, everything else frozen.

    `beside` says what is trained beside them: the head of the library's own kind of classifier
    (`task_type`), or modules by name (`modules_to_save`).

    Raises:
        BadInput: it has no layers of the names that `targets` gives, or does not go with this kind
            of addition.
    """
    import peft

    try:
        return peft.get_peft_model(net, _addition(net, model, beside))
    # The last is Transformers' word for a network that does not say which layer embeds its tokens.
    except (ValueError, KeyError, AttributeError, NotImplementedError) as error:
        first = (str(error).splitlines() or [""])[0][:200]
        if model.tune in LEARNT:
            raise BadInput(
                f"model.tune: {model.tune} does not go with this network ({first}); use lora"
            ) from error
        raise BadInput(
            f"model.lora.targets: {model.lora.targets} does not fit this network ({first}); use "
            "all-linear, or names of its layers"
        ) from error


def _addition(net: Any, model: Adapted, beside: dict[str, Any]) -> Any:
    """What is added, as the library describes it."""
    import peft

    if model.tune == "prefix":
        return peft.PrefixTuningConfig(**beside, num_virtual_tokens=model.virtual)
    if model.tune == "prompt":
        return peft.PromptTuningConfig(
            **beside, num_virtual_tokens=model.virtual, prompt_tuning_init="SAMPLE_VOCAB"
        )
    usual = getattr(peft.utils, f"TRANSFORMERS_MODELS_TO_{model.tune.upper()}{USUAL}")
    known = net.config.model_type in usual
    chosen: str | list[str] | None = model.lora.targets.split(",")
    if model.lora.targets == "auto":
        chosen = None if known else "all-linear"
    elif model.lora.targets == "all-linear":
        chosen = "all-linear"
    if model.tune == "ia3":
        return peft.IA3Config(
            **beside, target_modules=chosen, feedforward_modules=None if chosen is None else []
        )
    common = {
        **beside,
        "lora_alpha": model.lora.alpha,
        "lora_dropout": model.lora.dropout,
        "target_modules": chosen,
    }
    if model.tune == "lora":
        return peft.LoraConfig(**common, r=model.lora.rank)
    ranks = model.adalora
    return peft.AdaLoraConfig(
        **common,
        target_r=model.lora.rank,
        init_r=round(ranks.begin * model.lora.rank),
        orth_reg_weight=ranks.orthogonal,
        total_step=PARTS,
        tinit=round(ranks.wait * PARTS),
        tfinal=round(ranks.settle * PARTS),
    )


def heads_of(net: Any) -> list[str]:
    """Names of what is no part of the model below the head."""
    return [name for name, _ in net.named_children() if name != net.base_model_prefix]


def layer_names(net: nn.Module, prefix: str) -> list[str]:
    """The names, from the bottom up, of the layers that the network is a pile of.

    They are the longest list of modules in the part called `prefix`.
    """
    lists = [
        (name, module)
        for name, module in net.named_modules()
        if isinstance(module, nn.ModuleList) and name.startswith(prefix)
    ]
    if not lists:
        raise BadInput("model.tune: this network is no pile of layers; use full or frozen")
    name, layers = max(lists, key=lambda pair: len(pair[1]))
    return [f"{name}.{number}." for number in range(len(layers))]


def freeze(net: nn.Module, prefix: str, model: Tuned) -> None:
    """Leave to train what `tune` says; `prefix` is the part below the head."""
    if model.tune == "full":
        return
    kept: tuple[str, ...] = ()
    if model.tune == "last":
        layers = layer_names(net, prefix)
        kept = tuple(layers[-model.last :])
        if model.last > len(layers):
            raise BadInput(f"model.last: {model.last} is more than the {len(layers)} layers")
    for name, parameter in net.named_parameters():
        if name.startswith(prefix) and not name.startswith(kept):
            parameter.requires_grad_(kept != () and _is_above(name, kept, net, prefix))


def _is_above(name: str, kept: tuple[str, ...], net: nn.Module, prefix: str) -> bool:
    """Whether a parameter comes after the pile of layers: a pooler, a last norm."""
    names = [n for n, _ in net.named_parameters() if n.startswith(prefix)]
    last = max(place for place, n in enumerate(names) if n.startswith(kept))
    return names.index(name) > last


def lr_factors(net: nn.Module, prefix: str, model: Tuned) -> dict[nn.Parameter, float]:
    """Each trained parameter's learning rate as a multiple of `train.lr`."""
    if model.tune in ADAPTERS:
        return {p: model.adapter_lr for p in net.parameters() if p.requires_grad}
    depth = {name: place for place, name in enumerate(_piled(net, prefix, model))}
    return dict(_factors(net, prefix, model, depth))


def _piled(net: nn.Module, prefix: str, model: Tuned) -> list[str]:
    return layer_names(net, prefix) if model.layer_decay < 1.0 else []


def _factors(
    net: nn.Module, prefix: str, model: Tuned, depth: dict[str, int]
) -> Iterator[tuple[nn.Parameter, float]]:
    below = True
    for name, parameter in net.named_parameters():
        if not name.startswith(prefix):
            yield parameter, model.head_lr
            continue
        place = next((n for layer, n in depth.items() if name.startswith(layer)), None)
        below = below and place is None
        if place is None:  # embeddings below the pile, a pooler above it
            place = -1 if below else len(depth) - 1
        yield parameter, model.layer_decay ** (len(depth) - 1 - place) if depth else 1.0
