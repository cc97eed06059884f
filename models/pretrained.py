"""Which parameters of a pre-trained network are trained, and how fast each."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import nn

from conf.errors import BadInput
from conf.foundation import Adapted, Transformer, Tuned, Vision
from models.adalora import PARTS
from models.optimizers import UNDECAYED

MERGED = ("lora", "adalora", "ia3")
"""Additions to layers, which they are merged into at the end."""
LEARNT = ("prefix", "prompt")
"""Tokens that are learnt, and stay beside the network."""
ADAPTERS = (*MERGED, *LEARNT)
USUAL = "_TARGET_MODULES_MAPPING"
INNER = "TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING"
NUMBERED = re.compile(r"\.\d+\.")
"""In the name of a weight, that it belongs to one of many layers."""
LAYERS = ("Layer", "Block")
"""How libraries call what networks are piled up of; stages and groups hold these."""
BELOW = re.compile("embed|relative")
"""In the name of a weight, that all layers stand on it, wherever it is defined."""


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
) -> tuple[Any, set[str]]:
    """A classifier of `transformers` from the files in a folder, with its own head or a new one;
    and the names of the weights that the files do not give, which are drawn.

    Args:
        auto: the library's class that chooses the architecture.
        folder: the weights' files.
        model: the study's settings.
        classes: that it tells apart.
        of: what it classifies, in the plural.
        form: what the library calls such models.
        complete: adds to the configuration what its files leave open.

    Raises:
        BadInput: the architecture has no such form, or the files cannot be read or are another's.
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
        net, told = getattr(transformers, auto).from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            **TOLD,
        )
    except (ValueError, OSError, RuntimeError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise BadInput(
            f"model.weights: {folder} cannot be loaded to classify {of} ({reason}); choose a "
            f"model of an architecture that has {'an' if form[0] in 'aeiou' else 'a'} {form} form"
        ) from error
    if model.head == "new":
        begin_head(net)
    return net, drawn(told, folder, prefix_of(net))


TOLD = {"output_loading_info": True, "ignore_mismatched_sizes": True}
"""What lets the library say how it has loaded weights, and leave it to `drawn` to judge."""


def drawn(told: Mapping[str, Any], folder: Path, below: str = "") -> set[str]:
    """Names of the weights that the files in a folder do not give: a new head, a pooler.

    Args:
        told: what the library says of how it has loaded them.
        folder: the files.
        below: begins the names of everything below the head.

    Raises:
        BadInput: layers are among them, or what is given below the head has another shape.
    """
    missing, other = set(told["missing_keys"]), {name for name, *_ in told["mismatched_keys"]}
    layers = {name for name in missing if NUMBERED.search(name) and "crossattention" not in name}
    if lacking := sorted(name for name in layers | other if name.startswith(below)):
        raise BadInput(
            f"model.weights: the weights in {folder} are of another architecture than its "
            f"config.json says ({len(lacking)} of its weights are not among them or have another "
            f"shape, such as {lacking[0]}); save both together with save_pretrained"
        )
    return missing | other


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
    below = prefix_of(net)[:-1]
    for name, head in net.named_children():
        for each in head.modules() if name != below else ():
            reset = getattr(each, "reset_parameters", None)
            if reset is not None:
                reset()


def prefix_of(net: Any) -> str:
    """What the names of everything below the head of a classifier begin with."""
    named = net.base_model_prefix
    if not hasattr(net, named):
        sizes = {name: sum(p.numel() for p in m.parameters()) for name, m in net.named_children()}
        named = max(sizes, key=lambda name: sizes[name])
    return f"{named}."


def tuned(net: Any, prefix: str, model: Tuned, new: Collection[str]) -> Any:
    """The classifier with what `tune` says to be trained, beside its head and weights that are
    new: what was drawn and stays as it was drawn would spoil what stands on it.

    Args:
        net: the network.
        prefix: begins the names of everything below the head.
        model: the study's settings.
        new: names of the weights that were drawn.

    Raises:
        BadInput: as `adapted` and `freeze`.
    """
    heads = {name for name, _ in net.named_parameters() if not name.startswith(prefix)}
    if model.tune in ADAPTERS:
        return adapted(net, model, heads | set(new), "SEQ_CLS")
    freeze(net, prefix, model)
    for name, parameter in net.named_parameters():
        if name in heads or name in new:
            parameter.requires_grad_(True)
    return net


def adapted(net: Any, model: Adapted, whole: Collection[str], task: str) -> nn.Module:
    """The network with small additions to be trained, everything else frozen.

    Args:
        net: the network.
        model: the study's settings.
        whole: names of the weights that are trained themselves, and get no addition.
        task: what the library calls the task; tokens that are learnt depend on it.

    Raises:
        BadInput: it has no layers of the names that `targets` gives, or does not go with this kind
            of addition.
    """
    import peft

    own = {name: parameter for name, parameter in net.named_parameters() if name in whole}
    beside: dict[str, Any] = {"task_type": task}
    if model.tune in MERGED:
        # Of a task it would train copies of what it takes for the head, and only of that.
        beside = {"exclude_modules": [*{name.rpartition(".")[0] for name in own}] or None}
    try:
        found = peft.get_peft_model(net, _addition(net, model, beside))
    # The last is Transformers' word for a network that does not say which layer embeds its tokens.
    except (ValueError, KeyError, AttributeError, NotImplementedError) as error:
        first = (str(error).splitlines() or [""])[0].split(". ")[0][:120]
        if model.tune in LEARNT:
            raise BadInput(
                f"model.tune: {model.tune} does not go with this network ({first}); use lora"
            ) from error
        raise BadInput(
            f"model.lora.targets: {model.lora.targets} does not fit this network ({first}); use "
            f"all-linear, or names of its layers: {_linear_names(net)}"
        ) from error
    for name, parameter in found.named_parameters():
        if ".ia3_" in name:  # a factor, of shape (n, 1)
            setattr(parameter, UNDECAYED, True)
    left = {p for name, p in found.named_parameters() if ".original_module." in name}
    for parameter in own.values():
        parameter.requires_grad_(parameter not in left)
    return found


MOST_NAMES = 12
"""Of a network's layers that a sentence gives."""


def _linear_names(net: nn.Module) -> str:
    """The last names of the linear layers that a network has, each once."""
    from transformers.pytorch_utils import Conv1D

    linear = (name for name, each in net.named_modules() if isinstance(each, nn.Linear | Conv1D))
    names = list(dict.fromkeys(name.rpartition(".")[2] for name in linear))
    return ", ".join([*names[:MOST_NAMES], *(["..."] if len(names) > MOST_NAMES else [])])


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
        inner = getattr(peft.utils, INNER).get(net.config.model_type, ())
        named = chosen if isinstance(chosen, list) else ()
        return peft.IA3Config(
            **beside,
            target_modules=chosen,
            feedforward_modules=None if chosen is None else [n for n in named if n in inner],
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


def layer_names(net: nn.Module, prefix: str) -> list[str]:
    """The names, from the bottom up, of the layers that the part called `prefix` is a pile of.

    Raises:
        BadInput: it is none.
    """
    body = net.get_submodule(prefix[:-1])
    if not (found := list(_layers(body, prefix))):
        lists = [(name, each) for name, each in body.named_modules() if _is_list(each)]
        if len(lists) == 1:
            found = [f"{prefix}{lists[0][0]}.{number}." for number in range(len(lists[0][1]))]
    if not found:
        raise BadInput(
            "model.tune, model.layer_decay: this network is no pile of layers; use tune full or "
            "frozen, and layer_decay 1"
        )
    return found


def _is_list(module: nn.Module) -> TypeGuard[nn.ModuleList | nn.Sequential]:
    return isinstance(module, nn.ModuleList | nn.Sequential)


def _layers(module: nn.Module, name: str) -> Iterator[str]:
    """Names of the layers in a module: items of lists, or of lists in these."""
    for own, child in module.named_children():
        if _is_list(module) and type(child).__name__.endswith(LAYERS):
            yield f"{name}{own}."
        else:
            yield from _layers(child, f"{name}{own}.")


def depths(net: nn.Module, prefix: str) -> dict[str, int]:
    """In which layer each weight below the head is, counted from 0 at the bottom: what stands
    between two layers or on the last one belongs to the lower one, and -1 is below them all."""
    layers, found, place = layer_names(net, prefix), {}, -1
    for name, _ in net.named_parameters():
        if not name.startswith(prefix):
            continue
        within = next((n for n, layer in enumerate(layers) if name.startswith(layer)), None)
        place = place if within is None else within
        found[name] = -1 if within is None and BELOW.search(name) else place
    return found


def freeze(net: nn.Module, prefix: str, model: Tuned) -> None:
    """Leave to train what `tune` says; `prefix` is the part below the head.

    Raises:
        BadInput: it has fewer layers than are to be trained, or none.
    """
    if model.tune == "full":
        return
    depth, lowest = {}, 0
    if model.tune == "last":
        depth, count = depths(net, prefix), len(layer_names(net, prefix))
        lowest = count - model.last
        if lowest < 0:
            raise BadInput(f"model.last: {model.last} is more than the {count} layers")
    for name, parameter in net.named_parameters():
        if name.startswith(prefix):
            parameter.requires_grad_(depth.get(name, -1) >= lowest)


def lr_factors(net: nn.Module, prefix: str, model: Tuned) -> dict[nn.Parameter, float]:
    """Each trained parameter's learning rate as a multiple of `train.lr`."""
    if model.tune in ADAPTERS:
        return {p: model.adapter_lr for p in net.parameters() if p.requires_grad}
    named = dict(net.named_parameters())
    depth = depths(net, prefix) if model.layer_decay < 1.0 else {}
    top = max(depth.values(), default=-1)
    return {
        parameter: model.layer_decay ** (top - depth.get(name, top))
        if name.startswith(prefix)
        else model.head_lr
        for name, parameter in named.items()
    }
