"""Integrated gradients (arXiv:1703.01365): attributions of a network's pixels or tokens.

The attributions sum to the difference between the output and that of a baseline: an image of
average colour, or a text of padding tokens.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from conf.runtime.errors import BadInput
from conf.runtime.types import Array
from models.serving import Serving, TextServing

STEPS = 32
AT_ONCE = 8
"""Steps that go through the network together, which bounds memory."""


def captum() -> ModuleType:
    """The library that integrates.

    Raises:
        BadInput: it is not installed.
    """
    try:
        import captum.attr
    except ImportError as error:
        raise BadInput(
            "the parts of texts and images that count are found by Captum, which is not "
            "installed: pip install 'dense[explain]'; champion.explain=0 goes without"
        ) from error
    found: ModuleType = captum.attr
    return found


def of_pixels(serving: Serving, image: Array, target: int) -> NDArray[np.float64]:
    """Attribution of each pixel to one output, of shape (height, width); channels are summed.

    Args:
        serving: takes raw images.
        image: one raw row.
        target: which output.
    """
    raw = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)).unsqueeze(0)
    average = serving.shift.float().reshape(-1)
    empty = average.expand_as(raw) if raw.ndim == 4 else average[0].expand_as(raw)
    method = captum().IntegratedGradients(serving)
    found: Tensor = method.attribute(
        raw, baselines=empty.contiguous(), target=target, n_steps=STEPS, internal_batch_size=AT_ONCE
    )
    weights = found[0].detach().double()
    return (weights.sum(-1) if weights.ndim == 3 else weights).numpy()


def of_tokens(
    serving: TextServing, tokens: NDArray[np.int64], target: int, pad: int, kept: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Attribution of each token to one output, of shape (tokens,).

    Args:
        serving: takes tokens and their mask.
        tokens: of one text, special ones included.
        target: which output.
        pad: the token that an empty text is made of.
        kept: which tokens an empty text has, too: the special ones.
    """
    x = torch.from_numpy(tokens).unsqueeze(0)
    empty = torch.where(torch.from_numpy(kept), x, torch.full_like(x, pad))
    mask = torch.ones_like(x, dtype=torch.bool)
    method = captum().LayerIntegratedGradients(serving, embedding_of(serving))
    found: Tensor = method.attribute(
        x,
        baselines=empty,
        target=target,
        additional_forward_args=(mask,),
        n_steps=STEPS,
        internal_batch_size=AT_ONCE,
    )
    weights: NDArray[np.float64] = found[0].detach().double().sum(-1).numpy()
    return weights


def embedding_of(net: nn.Module) -> nn.Embedding:
    """The token embedding: the embedding layer with the most entries.

    Raises:
        BadInput: the network has no embedding.
    """
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Embedding)]
    if not layers:
        raise BadInput("this network embeds no tokens, so none can be weighed")
    return max(layers, key=lambda layer: layer.num_embeddings)
