"""The LightningModule of every model that predicts a number: any network that gives one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.train import Train
from models.classifier import Batch, Classifier, logits


class Regressor(Classifier):
    """Trains `net` by squared error, in deviations of the training part's targets from their mean,
    so that one range of learning rates serves all scales; predicts the numbers themselves."""

    shift: Tensor
    scale: Tensor

    def __init__(
        self, net: nn.Module, train: Train, total_steps: int, target: Mapping[str, float]
    ) -> None:
        """`target` is the card's: mean and deviation of the training part's targets."""
        super().__init__(net, train, total_steps)
        self.register_buffer("shift", torch.tensor(target["mean"]), persistent=False)
        self.register_buffer("scale", torch.tensor(target["deviation"]), persistent=False)

    def loss(self, said: Tensor, target: Tensor) -> Tensor:
        """Mean over rows of the squared error, in deviations."""
        return functional.mse_loss(said.squeeze(1), (target - self.shift) / self.scale)

    def predict_step(self, batch: Batch, batch_idx: int) -> Batch:
        """`id`, `target` and `prediction` (n,) in float32; by the averaged weights where there are
        any."""
        net = self.net if self.average is None else self.average.net
        said = logits(net, batch).float().squeeze(1)
        return {
            "id": batch["id"],
            "target": batch["y"],
            "prediction": said * self.scale + self.shift,
        }
