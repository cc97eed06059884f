"""The layers of a pre-trained network: which of them are trained, and how fast each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeGuard

from torch import nn

from conf.runtime.errors import BadInput
from conf.schema.pretrained import PretrainedClassifier
from models.pretrained.adapters import ADAPTERS

LAYERS = ("Layer", "Block")
"""How libraries call what networks are piled up of; stages and groups hold these."""
BELOW = re.compile("embed|relative")
"""In the name of a weight, that all layers stand on it, wherever it is defined."""


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


def layer_depths(net: nn.Module, prefix: str) -> dict[str, int]:
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


def freeze(net: nn.Module, prefix: str, model: PretrainedClassifier) -> None:
    """Leave to train what `tune` says; `prefix` is the part below the head.

    Raises:
        BadInput: it has fewer layers than are to be trained, or none.
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
    """Each trained parameter's learning rate as a multiple of `train.lr`."""
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
