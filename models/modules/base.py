"""What every LightningModule here has in common in a training."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from conf.runtime.import_lightning import pl
from conf.schema.train import Train
from models.modules.weight_averaging import WeightAverage
from models.optimizers import build_optimizer, build_schedule
from models.pretrained.adalora import RANKS, RankAllocation


class TrainableModule(pl.LightningModule):
    """A network with its optimiser, with AdaLoRA's ranks and an average of its weights where it has
    any.

    Its state holds what is trained, and buffers: frozen weights are where they were loaded from.
    """

    strict_loading = False

    def __init__(self, net: nn.Module, train: Train, total_steps: int) -> None:
        """`total_steps` is the number of optimiser steps of a full trial."""
        super().__init__()
        self.net = net
        self._train_config = train
        self._total_steps = total_steps
        self.allocation = RankAllocation.of(net, total_steps)
        self.average: WeightAverage | None = None
        if train.average != "none":
            self.average = WeightAverage(net, train, total_steps)
        self.loss_weight = 1.0
        """Share of the batch in this micro-batch; set by `tasks.train.trial.accumulation`."""

    @property
    def inference_net(self) -> Any:
        """The network to predict with: the averaged one where there is any."""
        return self.net if self.average is None else self.average.net

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """A step, and after it the ranks' and the average's."""
        super().optimizer_step(*args, **kwargs)
        if self.allocation is not None:
            self.allocation.after_step()
        if self.average is not None:
            self.average.update(self.net)

    def inference_state(self) -> dict[str, Tensor]:
        """The weights to predict with, as `net.*`: the averaged ones where there are any."""
        state = self.state_dict()
        if self.average is None:
            return state
        start = "average."
        return {n.removeprefix(start): t for n, t in state.items() if n.startswith(f"{start}net.")}

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
        optimizer = self.wrapped_optimizer(
            build_optimizer(self._train_config, self.net.parameters(), factors)
        )
        schedule = build_schedule(self._train_config, optimizer, self._total_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def wrapped_optimizer(self, optimizer: Optimizer) -> Optimizer:
        """The optimiser with what a kind of training puts around it."""
        return optimizer
