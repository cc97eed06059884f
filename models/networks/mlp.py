"""Fully connected layers."""

from __future__ import annotations

from torch import nn

from conf.schema.model import Mlp


def mlp_net(config: Mlp, features: int, classes: int) -> nn.Sequential:
    """Takes (n, ...) with `features` numbers a row, gives logits of shape (n, classes)."""
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = features
    for _ in range(config.depth):
        layers.append(nn.Linear(inputs, config.width))
        if config.norm:
            layers.append(nn.LayerNorm(config.width))
        layers += [nn.ReLU(inplace=True), nn.Dropout(config.dropout)]
        inputs = config.width
    return nn.Sequential(*layers, nn.Linear(inputs, classes))
