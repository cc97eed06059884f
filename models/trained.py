"""What every LightningModule here has in common in a training."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer

from conf.lightning import pl
from conf.train import Train
from models.adalora import RANKS, Allocation
from models.optimizers import build_optimizer, build_schedule


class Trained(pl.LightningModule):
    """A network with its optimiser, and with AdaLoRA's ranks where it has any.

    Its state holds what is trained, and buffers: frozen weights are where they were loaded from.
    """

    strict_loading = False

    def __init__(self, net: nn.Module, train: Train, total_steps: int) -> None:
        """`total_steps` is the number of optimiser steps of a full trial."""
        super().__init__()
        self.net = net
        self._train_config = train
        self._total_steps = total_steps
        self.allocation = Allocation.of(net, total_steps)
        self.loss_weight = 1.0
        """Set before each training step by who divides batches (`tasks.train.batches`)."""

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """A step, and the ranks' after it."""
        super().optimizer_step(*args, **kwargs)
        if self.allocation is not None:
            self.allocation.stepped()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put what is known of ranks into it."""
        if self.allocation is not None:
            checkpoint[RANKS] = self.allocation.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it out."""
        if self.allocation is not None:
            self.allocation.restore(checkpoint[RANKS])

    def configure_optimizers(self) -> dict[str, Any]:
        """The optimiser, and its schedule by step."""
        factors: dict[nn.Parameter, float] = getattr(self.net, "lr_factors", dict)()
        optimizer = self.equipped(
            build_optimizer(self._train_config, self.net.parameters(), factors)
        )
        schedule = build_schedule(self._train_config, optimizer, self._total_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def equipped(self, optimizer: Optimizer) -> Optimizer:
        """The optimiser with what a kind of training puts around it."""
        return optimizer
