"""Loss of a text generation network, its construction arguments, and the parameters to save."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from torch import Tensor, nn

from conf.schema.model import Gru
from data.card import PairsInputs
from models.networks.gru import GruNet

if TYPE_CHECKING:
    from models.pretrained.seq2seq import PretrainedSeq2SeqNet

TOKENIZER = "tokenizer.json"
"""File of the prepared tokenizer, beside the splits."""


class PairsBatch(TypedDict):
    """A batch of n pairs of texts."""

    id: Tensor
    """Row numbers, shape (n,)."""
    x: Tensor
    """Source tokens, int64 of shape (n, length)."""
    mask: Tensor
    """True for tokens of the source."""
    y: Tensor
    """Target tokens from start to end, int64 of shape (n, length)."""
    y_mask: Tensor
    """True for tokens of the target."""
    reference: list[str]
    """The targets as texts."""


class GruArguments(TypedDict):
    """Keyword arguments of `GruNet`."""

    vocabulary: int
    width: int
    layers: int
    dropout: float
    pad: int
    start: int
    end: int


def gru_arguments(model: Gru, inputs: PairsInputs) -> GruArguments:
    """Keyword arguments of `GruNet`, as plain numbers; `inputs` is from the data card."""
    return {
        "vocabulary": inputs.vocabulary,
        "width": model.width,
        "layers": model.layers,
        "dropout": model.dropout,
        "pad": inputs.pad,
        "start": inputs.start,
        "end": inputs.end,
    }


def gru_net(settings: Gru, inputs: PairsInputs, _outputs: int) -> GruNet:
    """The encoder-decoder for the prepared vocabulary, which determines its number of outputs."""
    return GruNet(**gru_arguments(settings, inputs))


def sequence_losses(
    net: GruNet | PretrainedSeq2SeqNet, batch: PairsBatch, smoothing: float
) -> Tensor:
    """Negative log-likelihood of each target, summed over its tokens in nats, shape (n,)."""
    if isinstance(net, GruNet):
        memory = net.encode(batch["x"], batch["mask"])
        return net.losses(memory, batch["y"], batch["y_mask"], smoothing)
    return net.losses(batch["x"], batch["mask"], batch["y"], batch["y_mask"], smoothing)


def unsaved_parameters(module: nn.Module) -> set[str]:
    """Names of parameters that are not saved: frozen ones, and aliases of tied ones."""
    first = dict(module.named_parameters())
    every = module.named_parameters(remove_duplicate=False)
    return {name for name, each in every if not each.requires_grad or name not in first}
