"""EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946): no squeeze-and-excitation, ReLU6.

Modules are named as in the published weights.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.runtime.errors import BadInput

FEATURES = 1_280
# Repeats, kernel, stride, expansion, channels in and out of each group of blocks.
GROUPS = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


class SamePadded(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: an odd total pads more at the far end."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve the padded input (n, channels, height, width)."""
        total = self.kernel_size[0] - self.stride[0]
        near, far = total // 2, total - total // 2
        return super().forward(functional.pad(x, (near, far, near, far)) if total > 0 else x)


def convolution(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Module:
    """A convolution without bias: normalisation follows."""
    return SamePadded(inputs, outputs, kernel, stride, groups=groups, bias=False)


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with the constants of the published network."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """Inverted residual block (MobileNetV2, arXiv:1801.04381): expand, depthwise convolution,
    project; a residual connection if shapes agree."""

    def __init__(self, kernel: int, stride: int, expansion: int, inputs: int, outputs: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self._expands = expansion != 1
        if self._expands:
            self._expand_conv, self._bn0 = convolution(inputs, wide), norm(wide)
        self._depthwise_conv = convolution(wide, wide, kernel, stride, groups=wide)
        self._bn1 = norm(wide)
        self._project_conv, self._bn2 = convolution(wide, outputs), norm(outputs)
        self._short_cut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Features of the block, shape (n, channels, height, width)."""
        wide = functional.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        wide = functional.relu6(self._bn1(self._depthwise_conv(wide)))
        narrow = self._bn2(self._project_conv(wide))
        return x + narrow if self._short_cut else narrow


class EfficientNetLite0(nn.Module):
    """Takes colour images (n, 3, height, width) normalised as ImageNet's, gives features (n, 1280).

    Batch normalisation always uses its pre-trained statistics: results then do not depend on
    micro-batches.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = convolution(3, 32, 3, 2), norm(32)
        blocks = []
        for repeats, kernel, stride, expansion, inputs, outputs in GROUPS:
            blocks.append(Block(kernel, stride, expansion, inputs, outputs))
            blocks += [Block(kernel, 1, expansion, outputs, outputs) for _ in range(repeats - 1)]
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = convolution(320, FEATURES), norm(FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        """Pooled features, shape (n, 1280)."""
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = functional.relu6(self._bn1(self._conv_head(x)))
        return x.mean(dim=(2, 3))


def load_lite0(folder: Path) -> EfficientNetLite0:
    """The network with the published weights, without their head.

    Raises:
        BadInput: the folder does not hold them.
    """
    net = EfficientNetLite0()
    file = next(iter(sorted(folder.glob("*.pth"))), None)
    if file is None:
        raise BadInput(f"model.weights: {folder} holds no EfficientNet-Lite0 weights (.pth)")
    saved = torch.load(file, map_location="cpu", weights_only=True)
    net.load_state_dict({name: value for name, value in saved.items() if "_fc." not in name})
    return net
