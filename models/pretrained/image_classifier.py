"""Pre-trained image classifiers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.runtime.errors import BadInput
from conf.schema.model import check_data_kind
from conf.schema.pretrained import Head, PackageWeights, Vision
from data.assets.pretrained import facts_of, head_order
from data.card import DataCard, ImageInputs
from models.networks.efficientnet import FEATURES, load_lite0
from models.networks.targets import output_count
from models.pretrained.adapters import ADAPTERS, MERGEABLE
from models.pretrained.freezing import lr_factors
from models.pretrained.loading import load_classifier, output_order, prefix_of, tuned

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, in 0 to 1."""


class PretrainedScaling(nn.Module):
    """Converts images from the study's scaling to that of the weights: undo the scaling, grey to
    RGB, resize if a size is given, and normalise. The result is channels-last, which makes
    convolutions about 1.5 times as fast."""

    shift: Tensor
    scale: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        inputs: ImageInputs,
        size: int | None,
        mean: Sequence[float] = MEAN,
        deviation: Sequence[float] = DEVIATION,
    ) -> None:
        super().__init__()
        shift, scale = inputs.shift_and_scale()
        high = inputs.high
        fixed = {
            "shift": torch.from_numpy(shift / high),
            "scale": torch.from_numpy(scale / high),
            "mean": torch.tensor(mean).view(-1, 1, 1),
            "deviation": torch.tensor(deviation).view(-1, 1, 1),
        }
        for name, value in fixed.items():
            self.register_buffer(name, value.float(), persistent=False)
        self._size = size

    def forward(self, x: Tensor) -> Tensor:
        """Normalised RGB images, shape (n, 3, height, width), channels-last."""
        x = x * self.scale + self.shift
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        if self._size is not None:
            size = (self._size, self._size)
            x = functional.interpolate(x, size, mode="bilinear", antialias=True)
        x = (x - self.mean) / self.deviation
        return x.contiguous(memory_format=torch.channels_last)


class ImageNet(nn.Module):
    """An image classifier: takes images (n, channels, height, width) as scaled by the study, gives
    logits."""

    order: Tensor | None

    def __init__(
        self,
        colours: PretrainedScaling,
        net: Any,
        prefix: str,
        model: Vision,
        new: Collection[str] = (),
        order: Sequence[int] | None = None,
    ) -> None:
        """`prefix` is the prefix of all names below the head; `new` are the names of newly
        initialised weights; `order` has the output of a kept head for each class of the data."""
        super().__init__()
        self.register_buffer("order", output_order(order), persistent=False)
        self._model, self._prefix, self.colours = model, prefix, colours
        self._given = resized(net, model.size)
        self.net = tuned(net, prefix, model, new)
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, outputs)."""
        found = self.net(self.colours(x), **self._given)
        logits: Tensor = found if isinstance(found, Tensor) else found.logits
        return logits if self.order is None else logits[:, self.order]

    def train(self, mode: bool = True) -> ImageNet:
        """Batch normalisation always uses its pre-trained statistics."""
        super().train(mode)
        for module in self.net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        if self._model.tune == "frozen":
            getattr(self.net, self._prefix[:-1]).eval()
        return self

    def lr_factors(self) -> dict[nn.Parameter, float]:
        """Learning rates of parameters as multiples of `train.lr`."""
        return lr_factors(self.net, self._prefix, self._model)

    def merged(self) -> ImageNet:
        """The network with its adapters merged into the layers, for inference."""
        if self._model.tune in MERGEABLE:
            self.net = self.net.merge_and_unload()
        return self


class WithHead(nn.Module):
    """Features, dropout and a linear layer."""

    def __init__(self, body: nn.Module, features: int, dropout: float, classes: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, outputs)."""
        logits: Tensor = self.head(self.body(x))
        return logits


def image_net(model: Vision, folder: Path, card: DataCard) -> ImageNet:
    """The image classifier of a study; a new head is initialised from torch's generator.

    Args:
        model: settings.
        folder: files of the weights.
        card: the data card.

    Raises:
        BadInput: the data are no images, or the weights are no image classifier's.
    """
    inputs, outputs = card.inputs, output_count(card)
    check_data_kind(model.kind, inputs.kind)
    assert isinstance(inputs, ImageInputs)
    if isinstance(model.weights, PackageWeights):
        if model.tune in ADAPTERS:
            raise BadInput(
                f"model.tune: {model.tune} goes with transformers; of {model.weights.name} tune "
                "full, last or frozen"
            )
        dropout = 0.2 if model.dropout is None else model.dropout
        whole = WithHead(load_lite0(folder), FEATURES, dropout, outputs)
        return ImageNet(PretrainedScaling(inputs, model.size), whole, "body.", model)
    facts = facts_of(folder)
    order = head_order(model, facts, card)
    net, new = load_classifier(
        "AutoModelForImageClassification",
        folder,
        model,
        outputs,
        of="images",
        form="image-classification",
    )
    return ImageNet(
        pretrained_scaling(model, folder, facts, inputs), net, prefix_of(net), model, new, order
    )


def resized(net: Any, size: int | None) -> dict[str, bool]:
    """Keyword arguments that interpolate position embeddings for images of another size."""
    own = getattr(getattr(net, "config", None), "image_size", None)
    other = size is not None and own is not None and own not in (size, [size, size], (size, size))
    asks = "interpolate_pos_encoding" in signature(net.forward).parameters
    return {"interpolate_pos_encoding": True} if other and asks else {}


def pretrained_scaling(
    model: Vision | Head, folder: Path, facts: Mapping[str, Any], inputs: ImageInputs
) -> PretrainedScaling:
    """Input scaling of a `transformers` model, from its preprocessor file, or that of ImageNet."""
    file = folder / "preprocessor_config.json"
    said = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    mean, deviation = said.get("image_mean", MEAN), said.get("image_std", DEVIATION)
    if not said.get("do_normalize", True):
        mean, deviation = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    own = facts.get("image_size")
    square = own[0] if isinstance(own, list) and len(set(own)) == 1 else own
    size = model.size or square
    return PretrainedScaling(inputs, size if isinstance(size, int) else None, mean, deviation)
