"""The LightningModule of every classifier: any network that gives logits."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.train import Train
from models.optimizers import build_optimizer, build_schedule

Batch = dict[str, Tensor]


class Classifier(pl.LightningModule):
    """Trains `net` by cross-entropy; validates and predicts by softmax probabilities."""

    def __init__(self, net: nn.Module, train: Train, total_steps: int) -> None:
        """`total_steps` is the number of optimiser steps of a full trial."""
        super().__init__()
        self.net = net
        self._train_config = train
        self._total_steps = total_steps
        self.loss_weight = 1.0
        """Set before each training step by who divides batches (`tasks.train.batches`)."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (n, classes)."""
        return self.net(x)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean cross-entropy of a batch, times its weight among those of an optimiser step."""
        loss = functional.cross_entropy(self.net(batch["x"]), batch["y"])
        return loss * self.loss_weight

    def validation_step(self, batch: Batch, batch_idx: int) -> Batch:
        """`id` and `target` (n,), `probabilities` (n, classes) in float32."""
        return self.predict_step(batch, batch_idx)

    def predict_step(self, batch: Batch, batch_idx: int) -> Batch:
        """As `validation_step`."""
        probabilities = torch.softmax(self.net(batch["x"]).float(), dim=1)
        return {"id": batch["id"], "target": batch["y"], "probabilities": probabilities}

    def configure_optimizers(self) -> dict[str, Any]:
        """The optimiser, and its schedule by step."""
        optimizer = build_optimizer(self._train_config, self.parameters())
        schedule = build_schedule(self._train_config, optimizer, self._total_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
