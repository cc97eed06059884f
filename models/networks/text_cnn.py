"""TextCNN: a convolutional network for texts, trained from scratch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.schema.model import TextCnn
from data.card import TextInputs

SPREAD = 0.1
"""Initial standard deviation of the token embeddings."""


class TextCnnNet(nn.Module):
    """Convolutions of several lengths over token embeddings, pooling, and a linear layer.

    After Kim 2014 (arXiv:1408.5882); with `pool: mean` close to the bag of n-grams of fastText
    (Joulin et al. 2017, arXiv:1607.01759). Takes tokens int64[n, length] and their mask
    bool[n, length]; gives logits (n, outputs), which do not depend on the padding of a batch.
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
        there = mask.unsqueeze(1)
        vectors = self.dropout(self.embedding(x)).transpose(1, 2) * there
        said = [self._pooled(functional.relu(each(_room(vectors, each))), there)
                for each in self.filters]  # fmt: skip
        logits: Tensor = self.head(self.dropout(torch.cat(said, dim=1)))
        return logits

    def embeddings(self) -> nn.Module:
        """The layer that gives the vectors of tokens: what adversarial training moves."""
        return self.embedding

    def _pooled(self, answers: Tensor, there: Tensor) -> Tensor:
        """Of (n, filters, length) one number a filter, or two; what begins in the padding does not
        count, and no answer is below 0."""
        known = answers * there
        found = [known.amax(dim=2)] if self.pool != "mean" else []
        if self.pool != "max":
            found.append(known.sum(dim=2) / there.sum(dim=2))
        return torch.cat(found, dim=1)


def _room(vectors: Tensor, filters: nn.Module) -> Tensor:
    """Zeros behind the texts, so that runs may begin at every token, also of a short text."""
    assert isinstance(filters, nn.Conv1d)
    return functional.pad(vectors, (0, filters.kernel_size[0] - 1))


def text_cnn_net(settings: TextCnn, inputs: TextInputs, outputs: int) -> TextCnnNet:
    """The network for the prepared vocabulary."""
    return TextCnnNet(settings, inputs.vocabulary, inputs.pad, outputs)
