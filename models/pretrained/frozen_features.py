"""Features of a frozen pre-trained network: computed once, cached, shared, memory-mapped.

They are in `home/features/<data key>/<key>.npy`. The key is a hash of the data, the bytes of the
weights and the settings that determine features, so that trials and studies share them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from conf.loading.digests import canonical_json, sha256_text
from conf.runtime.atomic_write import atomic_file
from conf.runtime.file_lock import FileLock
from conf.runtime.types import Floats32, Ints
from conf.schema.pretrained import Head, PackageWeights
from data.assets.pretrained import digest, facts_of, home_of, located
from data.card import DataCard, ImageInputs, Inputs
from data.encoding.tokenizer import encoder_of
from data.loading.collate_texts import padded
from data.loading.eval_loader import split_loader
from data.loading.split_reader import PreparedSplit
from models.networks.efficientnet import load_lite0
from models.networks.mlp import head_net
from models.networks.targets import output_count
from models.pretrained.image_classifier import PretrainedScaling, pretrained_scaling, resized
from models.pretrained.loading import LOADING_INFO, newly_initialised, silence_transformers

VERSION = 2
ROWS = 64
SETTINGS = ("tokens", "cut", "pad", "pool", "size")


class TextBody(nn.Module):
    """Takes tokens int64[n, length] and their mask, gives features (n, width)."""

    def __init__(self, net: Any, pool: str) -> None:
        super().__init__()
        self.net, self._pool = net, pool

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Features of texts, shape (n, width)."""
        states: Tensor = self.net(input_ids=x, attention_mask=mask.long()).last_hidden_state
        if self._pool == "first":
            return states[:, 0]
        weights = mask.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


class ImageBody(nn.Module):
    """Takes images as scaled by the study, gives features (n, width)."""

    def __init__(self, colours: PretrainedScaling, net: Any, size: int | None = None) -> None:
        """`size` is the size of the images, if it is not the network's own."""
        super().__init__()
        self.colours, self.net, self._given = colours, net, resized(net, size)

    def forward(self, x: Tensor) -> Tensor:
        """Features of images, shape (n, width)."""
        found = self.net(self.colours(x), **self._given)
        if isinstance(found, Tensor):
            return found
        pooled = getattr(found, "pooler_output", None)
        pooled = found.last_hidden_state.mean(1) if pooled is None else pooled
        return pooled.flatten(1)


class NetWithHead(nn.Module):
    """The frozen network with a head: what is served, and what is trained if rows change from epoch
    to epoch."""

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body: Any = body
        self.head = head

    def forward(self, *inputs: Tensor) -> Tensor:
        """Logits, shape (n, outputs)."""
        logits: Tensor = self.head(self.body(*inputs))
        return logits

    def train(self, mode: bool = True) -> NetWithHead:
        """The frozen network stays in evaluation mode: no dropout, fixed normalisation
        statistics."""
        super().train(mode)
        self.body.eval()
        return self

    def embeddings(self) -> nn.Module:
        """The token embedding layer, whose output adversarial training perturbs."""
        layer: nn.Module = self.body.net.get_input_embeddings()
        return layer


def body_of(model: Head, folder: Path, inputs: Inputs) -> nn.Module:
    """The frozen network below a head, in evaluation mode."""
    if isinstance(model.weights, PackageWeights) and model.weights.name != "minilm":
        assert isinstance(inputs, ImageInputs)
        return ImageBody(PretrainedScaling(inputs, model.size), load_lite0(folder)).eval()
    from transformers import AutoModel

    silence_transformers()
    net, told = AutoModel.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        dtype=torch.float32,
        **LOADING_INFO,
    )
    new = newly_initialised(told, folder)
    if inputs.kind == "text":
        whole = net.config.is_encoder_decoder
        return TextBody(net.get_encoder() if whole else net, model.pool).eval()
    if any(name.startswith("pooler.") for name in new):
        net.pooler = None  # it would be another one each time
    assert isinstance(inputs, ImageInputs)
    colours = pretrained_scaling(model, folder, facts_of(folder), inputs)
    return ImageBody(colours, net, model.size).eval()


def frozen(body: nn.Module) -> nn.Module:
    """The network with gradients disabled."""
    return body.requires_grad_(False)


def width_of(body: nn.Module, inputs: Inputs) -> int:
    """Number of features that the frozen network gives."""
    given: tuple[Tensor, ...]
    if isinstance(inputs, ImageInputs):
        given = (torch.zeros(1, inputs.channels, inputs.height, inputs.width),)
    else:
        given = (torch.zeros((1, 4), dtype=torch.int64), torch.ones((1, 4), dtype=torch.bool))
    with torch.no_grad():
        return int(body(*given).shape[1])


def features_of(model: Head, card: DataCard, part: Path) -> Floats32:
    """Features of all rows of a split in order, float32 of shape (rows, width), memory-mapped.

    The first caller computes them; concurrent callers wait.
    """
    home = home_of(part.parent)
    folder = located(model.weights, home, offline=True)
    asked = {name: getattr(model, name) for name in SETTINGS}
    identity = [VERSION, card.key, part.name, digest(folder), asked]
    place = home.features / card.key  # `dense clean` takes them with the data
    file = place / f"{sha256_text(canonical_json(identity))[:32]}.npy"
    if not file.exists():
        with FileLock.acquire(file.with_suffix(".lock")):
            if not file.exists():
                _write(_computed(model, card, part, folder), file)
    found: Floats32 = np.load(file, mmap_mode="r", allow_pickle=False)
    return found


def _write(values: Floats32, file: Path) -> None:
    """Write the file atomically."""
    with atomic_file(file, sync="file", single_writer=True) as temporary:
        np.save(temporary, values, allow_pickle=False)


def _computed(model: Head, card: DataCard, part: Path, folder: Path) -> Floats32:
    body = body_of(model, folder, card.inputs)
    texts = card.inputs.kind == "text"
    batches = _texts(model, part, folder) if texts else _images(card, part)
    with torch.inference_mode():
        found = [(rows, body(*given).numpy()) for rows, given in batches]
    order = np.concatenate([rows for rows, _ in found])
    values = np.concatenate([features for _, features in found]).astype(np.float32)
    out: Floats32 = np.empty_like(values)
    out[order] = values
    return out


def _texts(model: Head, part: Path, folder: Path) -> Iterator[tuple[Ints, tuple[Tensor, Tensor]]]:
    """Batches of texts of similar length."""
    encoder = encoder_of(model, folder, facts_of(folder))
    tokens = encoder(PreparedSplit([part]).texts("text").to_pylist())
    order = np.argsort([len(one) for one in tokens], kind="stable")
    for first in range(0, len(order), ROWS):
        rows = order[first : first + ROWS]
        x, mask = padded([tokens[row].tolist() for row in rows], encoder.rules.pad)
        yield rows, (torch.from_numpy(x), torch.from_numpy(mask))


def _images(card: DataCard, part: Path) -> Iterator[tuple[Ints, tuple[Tensor]]]:
    """Batches of images in the order of the split."""
    first = 0
    for batch in split_loader(card, part, ROWS):
        rows = np.arange(first, first + len(batch["x"]))
        first += len(rows)
        yield rows, (batch["x"],)


def net_with_head(model: Head, folder: Path, card: DataCard) -> NetWithHead:
    """The frozen network in a folder with a new head on it."""
    body = frozen(body_of(model, folder, card.inputs))
    return NetWithHead(body, head_net(model, width_of(body, card.inputs), output_count(card)))
