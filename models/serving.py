"""Networks for inference: raw inputs in, predictions out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from conf.schema.pretrained import Head
from conf.schema.study import TrialConfig
from data.card import DataCard, ImageInputs, TableInputs, VectorInputs
from models.build import build_net, uses_cached_features
from models.networks.targets import target_of


class Serving(nn.Module):
    """A network with the normalisation of its inputs, in evaluation mode.

    Takes raw images as floats of shape (n, height, width) or (n, height, width, channels), or raw
    rows of shape (n, features). Predicts by the task of the data card: probabilities of shape
    (n, classes) by softmax, or by sigmoid for multilabel tasks, or numbers of shape (n, 1).
    """

    shift: Tensor
    scale: Tensor
    fill: Tensor | None

    def __init__(self, net: nn.Module, inputs: VectorInputs, card: DataCard | None = None) -> None:
        super().__init__()
        self.net, self.target = net, target_of(card)
        self._image = inputs.kind == "image"
        shift, scale = inputs.shift_and_scale()
        self.register_buffer("shift", torch.from_numpy(shift.copy()))
        self.register_buffer("scale", torch.from_numpy(scale.copy()))
        fill = inputs.fill if isinstance(inputs, TableInputs) else None
        filling = None if fill is None else torch.tensor(fill, dtype=self.shift.dtype)
        self.register_buffer("fill", filling)
        self.eval()

    def forward(self, raw: Tensor) -> Tensor:
        """Predictions of raw rows, shape (n, outputs)."""
        x = raw.to(self.shift.dtype)
        if self._image:
            x = x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
        if self.fill is not None:
            x = torch.where(torch.isnan(x), self.fill, x)
        predictions: Tensor = self.target(self.net(((x - self.shift) / self.scale).float()))
        return predictions


class TextServing(nn.Module):
    """A text network in evaluation mode; predicts by the task of the data card, as `Serving` does.

    Takes tokens int64[n, length] and their mask bool[n, length].
    """

    def __init__(self, net: nn.Module, card: DataCard | None = None) -> None:
        super().__init__()
        self.net, self.target = net, target_of(card)
        self.eval()

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Predictions of tokens, shape (n, outputs)."""
        predictions: Tensor = self.target(self.net(tokens, mask).float())
        return predictions


def load_net(
    config: TrialConfig, card: DataCard, weights: Path, parts: Path | None = None
) -> nn.Module:
    """The network of a trial with its trained weights.

    Args:
        config: The trial's configuration.
        card: The data card.
        weights: `checkpoints/weights.safetensors`, without the frozen weights: those come from the
            pre-trained files.
        parts: Folder of the prepared splits; required for pre-trained models.

    Raises:
        RuntimeError: The weights do not fit the network.
    """
    from safetensors.torch import load_file

    net = build_net(config, card, parts)
    # A head on cached features is trained alone, and served behind the frozen network.
    prefix = "head." if uses_cached_features(config) else ""
    saved = {
        prefix + name.removeprefix("net."): tensor for name, tensor in load_file(weights).items()
    }
    parameters = net.named_parameters(remove_duplicate=False)
    frozen = {name for name, parameter in parameters if not parameter.requires_grad}
    result = net.load_state_dict(saved, strict=False)
    frozen |= {name for name, _ in net.named_buffers() if isinstance(config.model, Head)}
    if result.unexpected_keys or set(result.missing_keys) - frozen:
        net.load_state_dict(saved)  # raises, and names the missing keys
    return net


def load_serving(
    config: TrialConfig, card: DataCard, weights: Path, parts: Path | None = None
) -> Serving | TextServing:
    """The network of a trial ready to serve, with its adapters merged; arguments of `load_net`."""
    net = load_net(config, card, weights, parts)
    merged = getattr(net, "merged", None)
    net = net if merged is None else merged()
    inputs = card.inputs
    if isinstance(inputs, ImageInputs | TableInputs):
        return Serving(net, inputs, card)
    return TextServing(net, card)
