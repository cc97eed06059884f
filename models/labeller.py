"""The LightningModule of every model that gives any number of labels: a logit a label."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.train import Train
from models.classifier import Batch, Classifier, logits


class Labeller(Classifier):
    """Trains `net` by the cross-entropy of every label by itself; predicts by sigmoids."""

    positive: Tensor | None

    def __init__(
        self, net: nn.Module, train: Train, total_steps: int, counts: list[int], rows: int
    ) -> None:
        """`counts` are the training rows of each label, of `rows` in all: balanced weights make
        those that have a label weigh as much as those that have it not."""
        super().__init__(net, train, total_steps)
        having = torch.tensor(counts, dtype=torch.float32).clamp(min=1)
        balanced = train.class_weights == "balanced"
        weights = (rows - having).clamp(min=1) / having if balanced else None
        self.register_buffer("positive", weights, persistent=False)

    def loss(self, said: Tensor, target: Tensor) -> Tensor:
        """Mean over rows and labels; targets (n, labels), shares of 1 where they are blended."""
        return functional.binary_cross_entropy_with_logits(
            said, target.to(said.dtype), pos_weight=self.positive
        )

    def predict_step(self, batch: Batch, batch_idx: int) -> Batch:
        """`id` (n,), `target` and `probabilities` (n, labels) in float32; by the averaged weights
        where there are any."""
        net = self.net if self.average is None else self.average.net
        probabilities = torch.sigmoid(logits(net, batch).float())
        return {"id": batch["id"], "target": batch["y"], "probabilities": probabilities}
