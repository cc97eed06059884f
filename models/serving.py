"""A trained network for inference: raw inputs in, probabilities out."""

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
    """A network with its normalisation inside, in evaluation mode.

    Takes raw images as floats of shape (n, height, width) or (n, height, width, channels), or raw
    rows of shape (n, features); gives probabilities of shape (n, classes), or numbers (n, 1).
    What is said follows from the card: a softmax, a sigmoid for labels of which a row has several,
    or numbers.
    """

    shift: Tensor
    scale: Tensor
    fill: Tensor | None

    def __init__(self, net: nn.Module, inputs: VectorInputs, card: DataCard | None = None) -> None:
        super().__init__()
        self.net, self.says = net, target_of(card)
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
        said: Tensor = self.says(self.net(((x - self.shift) / self.scale).float()))
        return said


class TextServing(nn.Module):
    """A network of texts with its softmax, or what the card asks for, in evaluation mode.

    Takes tokens int64[n, length] and their mask bool[n, length]; gives probabilities (n, classes),
    or numbers (n, 1).
    """

    def __init__(self, net: nn.Module, card: DataCard | None = None) -> None:
        super().__init__()
        self.net, self.says = net, target_of(card)
        self.eval()

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Predictions of tokens, shape (n, outputs)."""
        said: Tensor = self.says(self.net(tokens, mask).float())
        return said


def load_net(
    config: TrialConfig, card: DataCard, weights: Path, parts: Path | None = None
) -> nn.Module:
    """The network with a trial's saved weights (`checkpoints/weights.safetensors`).

    Frozen weights are not among them; they stay as loaded.

    Raises:
        RuntimeError: the weights do not fit the network.
    """
    from safetensors.torch import load_file

    net = build_net(config, card, parts)
    # A head on kept features is trained alone, and served behind the network that makes them.
    prefix = "head." if uses_cached_features(config) else ""
    saved = {
        prefix + name.removeprefix("net."): tensor for name, tensor in load_file(weights).items()
    }
    every = net.named_parameters(remove_duplicate=False)
    frozen = {name for name, parameter in every if not parameter.requires_grad}
    found = net.load_state_dict(saved, strict=False)
    frozen |= {name for name, _ in net.named_buffers() if isinstance(config.model, Head)}
    if found.unexpected_keys or set(found.missing_keys) - frozen:
        net.load_state_dict(saved)  # says which are missing
    return net


def load_serving(
    config: TrialConfig, card: DataCard, weights: Path, parts: Path | None = None
) -> Serving | TextServing:
    """The served form of a trial's saved weights, with adapters merged into the layers."""
    net = load_net(config, card, weights, parts)
    merged = getattr(net, "merged", None)
    net = net if merged is None else merged()
    inputs = card.inputs
    if isinstance(inputs, ImageInputs | TableInputs):
        return Serving(net, inputs, card)
    return TextServing(net, card)
