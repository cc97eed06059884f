"""Weights of a `cnn` or `mlp` for a network of fewer units a layer.

The units, or channels, with the smallest weights coming in are taken out (Li et al. 2017, "Pruning
Filters for Efficient ConvNets"): what is left is a smaller network, not one with zeros in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

COMPRESSIBLE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Embedding)
"""Layers whose weights pruning and 8-bit storage apply to."""
MIN_WEIGHTS = 512
"""Smaller layers are left as they are: nothing is gained there."""


def fitted(wide: Mapping[str, Tensor], narrow: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the wide network cut to the shapes of the narrow one.

    Args:
        wide: weights by name.
        narrow: weights of the narrow network, with the same names in the order of the forward pass;
            a layer with one-dimensional weights normalises its input.
    """
    pruned: dict[str, Tensor] = {}
    kept, units = torch.arange(0), 0
    for layer in [name.removesuffix(".weight") for name in narrow if name.endswith(".weight")]:
        weight = wide[f"{layer}.weight"]
        rows = kept
        if weight.ndim > 1:
            rows = _strongest(weight, len(narrow[f"{layer}.weight"]))
            if units:
                weight = weight[:, _columns(kept, weight.shape[1] // units)]
            kept, units = rows, len(weight)
        pruned[f"{layer}.weight"] = weight[rows]
        if (bias := wide.get(f"{layer}.bias")) is not None:
            pruned[f"{layer}.bias"] = bias[rows]
    return pruned


def _strongest(weight: Tensor, count: int) -> Tensor:
    """Indices of the units with the largest weights, in order."""
    return weight.flatten(1).norm(dim=1).topk(count).indices.sort().values


def _columns(kept: Tensor, cells: int) -> Tensor:
    """Input indices of the kept units; a flattened channel has several."""
    return (kept[:, None] * cells + torch.arange(cells)).flatten()
