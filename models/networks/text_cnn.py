"""TextCNN: convolutional text classifier, trained from scratch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.schema.model import TextCnn
from data.card import TextInputs

SPREAD = 0.1
"""Initial standard deviation of the token embeddings."""


class TextCnnNet(nn.Module):
    """Convolutions of several widths over token embeddings, pooling over time, a linear layer.

    After Kim 2014 (arXiv:1408.5882); with `pool: mean` close to the bag of n-grams of fastText
    (Joulin et al. 2017, arXiv:1607.01759). Takes tokens int64[n, length] and their mask
    bool[n, length]; returns logits of shape (n, outputs), independent of the batch's padding.
    """

    def __init__(self, config: TextCnn, vocabulary: int, pad: int, outputs: int) -> None:
        super().__init__()
        width = config.width
        self.pool = config.pool
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=pad)
        with torch.no_grad():
            self.embedding.weight *= SPREAD
        self.filters = nn.ModuleList(
            nn.Conv1d(width, width, length) for length in range(1, config.longest + 1)
        )
        self.dropout = nn.Dropout(config.dropout)
        pools = 2 if config.pool == "both" else 1
        self.head = nn.Linear(pools * width * config.longest, outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Logits, shape (n, outputs)."""
        tokens = mask.unsqueeze(1)
        vectors = self.dropout(self.embedding(x)).transpose(1, 2) * tokens
        features = [self._pooled(functional.relu(each(_padded(vectors, each))), tokens)
                    for each in self.filters]  # fmt: skip
        logits: Tensor = self.head(self.dropout(torch.cat(features, dim=1)))
        return logits

    def embeddings(self) -> nn.Module:
        """The token embeddings, which adversarial training perturbs."""
        return self.embedding

    def _pooled(self, activations: Tensor, tokens: Tensor) -> Tensor:
        """Pool activations of shape (n, filters, length) over time, without those of the padding.

        Activations are not negative, so that zeros do not change a maximum.
        """
        known = activations * tokens
        pooled = [known.amax(dim=2)] if self.pool != "mean" else []
        if self.pool != "max":
            pooled.append(known.sum(dim=2) / tokens.sum(dim=2))
        return torch.cat(pooled, dim=1)


def _padded(vectors: Tensor, filters: nn.Module) -> Tensor:
    """Pad the end with zeros, so that a window begins at every token, also of a short text."""
    assert isinstance(filters, nn.Conv1d)
    return functional.pad(vectors, (0, filters.kernel_size[0] - 1))


def text_cnn_net(settings: TextCnn, inputs: TextInputs, outputs: int) -> TextCnnNet:
    """The network for the prepared vocabulary."""
    return TextCnnNet(settings, inputs.vocabulary, inputs.pad, outputs)
