"""A small convolutional network for small images."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from conf.schema.model import Cnn
from data.card import ImageInputs


class CnnNet(nn.Module):
    """Two convolution blocks, the second at half resolution, then a linear layer.

    Takes (n, channels, height, width), gives logits (n, outputs). Uses group normalisation
    (arXiv:1803.08494): batch statistics would make results depend on micro-batches.
    """

    def __init__(self, config: Cnn, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _block(channels, config.width),
            nn.MaxPool2d(2, ceil_mode=True),
            _block(config.width, 2 * config.width),
            _pool_to(4, -(-height // 2), -(-width // 2)),
        )
        with torch.no_grad():
            features = self.features.eval()(torch.zeros(1, channels, height, width)).numel()
        self.features.train()
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(config.dropout), nn.Linear(features, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, outputs)."""
        return self.head(self.features(x))


def _pool_to(most: int, height: int, width: int) -> nn.Module:
    """Pool to at most `most` by `most`."""
    if max(height, width) <= most:
        return nn.Identity()
    return nn.AdaptiveMaxPool2d((min(most, height), min(most, width)))


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.GroupNorm(math.gcd(8, outputs), outputs),
        nn.ReLU(inplace=True),
    )


def cnn_net(settings: Cnn, inputs: ImageInputs, outputs: int) -> CnnNet:
    """The network for images of the data card's size."""
    return CnnNet(settings, inputs.channels, inputs.height, inputs.width, outputs)
