"""Fully connected networks: on the rows themselves, and on features of a frozen network."""

from __future__ import annotations

import math

from torch import nn

from conf.schema.model import Mlp
from conf.schema.pretrained import Head
from data.card import ImageInputs, VectorInputs


def mlp_net(settings: Mlp, inputs: VectorInputs, outputs: int) -> nn.Sequential:
    """A multi-layer perceptron that takes (n, features), or images (n, channels, height, width),
    which it flattens, and gives logits (n, outputs)."""
    width = flat_width(inputs)
    layers: list[nn.Module] = [nn.Flatten()]
    for _ in range(settings.depth):
        layers.append(nn.Linear(width, settings.width))
        if settings.norm:
            layers.append(nn.LayerNorm(settings.width))
        layers += [nn.ReLU(inplace=True), nn.Dropout(settings.dropout)]
        width = settings.width
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def flat_width(inputs: VectorInputs) -> int:
    """Numbers of one row, flattened."""
    if isinstance(inputs, ImageInputs):
        return math.prod(inputs.shape)
    return inputs.features


def head_net(settings: Head, features: int, outputs: int) -> nn.Sequential:
    """Takes features (n, features), gives logits (n, outputs); without a hidden layer it is
    logistic regression."""
    layers: list[nn.Module] = [nn.Dropout(settings.dropout)]
    for _ in range(settings.depth):
        layers += [nn.Linear(features, settings.width), nn.ReLU(), nn.Dropout(settings.dropout)]
        features = settings.width
    return nn.Sequential(*layers, nn.Linear(features, outputs))
