"""Which layers of a pre-trained network are trained, and their learning rates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeGuard

from torch import nn

from conf.runtime.errors import BadInput
from conf.schema.pretrained import PretrainedClassifier
from models.pretrained.adapters import ADAPTERS

LAYERS = ("Layer", "Block")
"""Suffixes of the class names of layers; stages and groups contain these."""
BELOW = re.compile("embed|relative")
"""Pattern of weights below all layers, wherever they are defined (embeddings)."""


def layer_names(net: nn.Module, prefix: str) -> list[str]:
    """Names of the stacked layers of the submodule `prefix`, from the bottom up.

    Raises:
        BadInput: it is no stack of layers.
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
    """Names of the layers in a module: items of lists, possibly nested."""
    for own, child in module.named_children():
        if _is_list(module) and type(child).__name__.endswith(LAYERS):
            yield f"{name}{own}."
        else:
            yield from _layers(child, f"{name}{own}.")


def layer_depths(net: nn.Module, prefix: str) -> dict[str, int]:
    """Layer index of each weight below the head, counted from 0 at the bottom. A weight between two
    layers, or on top of the last, belongs to the lower one; -1 is below all layers."""
    layers, found, place = layer_names(net, prefix), {}, -1
    for name, _ in net.named_parameters():
        if not name.startswith(prefix):
            continue
        within = next((n for n, layer in enumerate(layers) if name.startswith(layer)), None)
        place = place if within is None else within
        found[name] = -1 if within is None and BELOW.search(name) else place
    return found


def freeze(net: nn.Module, prefix: str, model: PretrainedClassifier) -> None:
    """Freeze all weights but those that `tune` trains; `prefix` is the submodule below the head.

    Raises:
        BadInput: it has fewer layers than `last`, or is no stack of layers.
    """
    if model.tune == "full":
        return
    depth, lowest = {}, 0
    if model.tune == "last":
        depth, count = layer_depths(net, prefix), len(layer_names(net, prefix))
        lowest = count - model.last
        if lowest < 0:
            raise BadInput(f"model.last: {model.last} is more than the {count} layers")
    for name, parameter in net.named_parameters():
        if name.startswith(prefix):
            parameter.requires_grad_(depth.get(name, -1) >= lowest)


def lr_factors(
    net: nn.Module, prefix: str, model: PretrainedClassifier
) -> dict[nn.Parameter, float]:
    """Learning rates of the trained parameters as multiples of `train.lr`: adapters, head, and
    layer-wise decay (arXiv:1801.06146)."""
    if model.tune in ADAPTERS:
        return {p: model.adapter_lr for p in net.parameters() if p.requires_grad}
    named = dict(net.named_parameters())
    depth = layer_depths(net, prefix) if model.layer_decay < 1.0 else {}
    top = max(depth.values(), default=-1)
    return {
        parameter: model.layer_decay ** (top - depth.get(name, top))
        if name.startswith(prefix)
        else model.head_lr
        for name, parameter in named.items()
    }
