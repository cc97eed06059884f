"""Pruning: train on from saved weights, of which the smallest are zero and stay zero.

Magnitude pruning over all large layers together, as in Han et al., "Learning both Weights and
Connections for Efficient Neural Networks", arXiv:1506.02626. Weights of a wider network are first
reduced to the strongest units (`models.networks.width_pruning`).
"""

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
"""Name of a parameter to a boolean tensor of its shape: True where the weight is kept."""


def masks_of(net: nn.Module, sparsity: float) -> Masks:
    """The masks that prune a share of the weights of all large layers; the network is not changed.

    Args:
        net: the network.
        sparsity: share of the weights to prune, those of smallest magnitude over all layers.

    Raises:
        BadInput: no layer has `MIN_WEIGHTS` trainable weights.
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


class WeightMasks(pl.Callback):
    """Keeps pruned weights at zero, in the network and in its averaged copy."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks

    @classmethod
    def begin(cls, module: TrainableModule, weights: Path, sparsity: float) -> WeightMasks:
        """Load saved weights into the module, reduce them to its width, and prune them."""
        from safetensors.torch import load_file

        known, own = load_file(weights), module.state_dict()
        own = {name: each for name, each in own.items() if name in known}
        if any(known[name].shape != each.shape for name, each in own.items()):
            known = fitted(known, own)
        module.load_state_dict(known, strict=False)  # frozen weights are not saved
        if module.average is not None:
            module.average.net.load_state_dict(module.net.state_dict())
        callback = cls(masks_of(module.net, sparsity) if sparsity else {})
        callback.apply(module)
        return callback

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Set pruned weights to zero again: the optimiser has changed them."""
        self.apply(pl_module)

    @torch.no_grad()
    def apply(self, module: pl.LightningModule) -> None:
        """Set pruned weights to zero."""
        average = getattr(module, "average", None)
        for net in (module.net, *([] if average is None else [average.net])):
            parameters = dict(net.named_parameters())
            for name, mask in self._masks.items():
                parameters[name].mul_(mask.to(parameters[name].device))
