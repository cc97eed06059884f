"""A training that begins from another's weights: of a network as wide the smallest are zero, and
stay so while the others are trained on; of a wider one the weakest units are not there."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from conf.runtime.errors import BadInput
from models.modules.base import TrainableModule
from models.networks.width_pruning import COMPRESSIBLE, MIN_WEIGHTS, fitted

Masks = Mapping[str, Tensor]
"""Name of a parameter of the network to where it is kept."""


def masks_of(net: nn.Module, sparsity: float) -> Masks:
    """Where weights are kept when this share of them, the smallest of all large layers together,
    is not. The network stays as it is.

    Raises:
        BadInput: no layer is large.
    """
    scratch = copy.deepcopy(net)
    layers: dict[str, Any] = {
        f"{name}.weight": layer
        for name, layer in scratch.named_modules()
        if isinstance(layer, COMPRESSIBLE)
        and layer.weight.numel() >= MIN_WEIGHTS
        and layer.weight.requires_grad
    }
    if not layers:
        raise BadInput(f"no layer has {MIN_WEIGHTS} weights, so there is nothing worth pruning")
    prune.global_unstructured(
        [(layer, "weight") for layer in layers.values()],
        pruning_method=prune.L1Unstructured,
        amount=sparsity,
    )
    return {name: layer.weight_mask.bool() for name, layer in layers.items()}


class Sparse(pl.Callback):
    """Keeps pruned weights at zero, in the network and in the average of its weights."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks

    @classmethod
    def begin(cls, module: TrainableModule, weights: Path, sparsity: float) -> Sparse:
        """Load the weights that a training saved, of a wider network the strongest units', and
        prune them."""
        from safetensors.torch import load_file

        known, own = load_file(weights), module.state_dict()
        own = {name: each for name, each in own.items() if name in known}
        if any(known[name].shape != each.shape for name, each in own.items()):
            known = fitted(known, own)
        module.load_state_dict(known, strict=False)  # frozen ones are there already
        if module.average is not None:
            module.average.net.load_state_dict(module.net.state_dict())
        found = cls(masks_of(module.net, sparsity) if sparsity else {})
        found.apply(module)
        return found

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any
    ) -> None:
        """The optimiser has moved them."""
        self.apply(pl_module)

    @torch.no_grad()
    def apply(self, module: pl.LightningModule) -> None:
        """Set them to zero."""
        average = getattr(module, "average", None)
        for net in (module.net, *([] if average is None else [average.net])):
            parameters = dict(net.named_parameters())
            for name, mask in self._masks.items():
                parameters[name].mul_(mask.to(parameters[name].device))
