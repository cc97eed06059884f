"""Base class of the LightningModules: optimiser, schedule, AdaLoRA ranks and weight averaging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.optim import Optimizer

from conf.runtime.import_lightning import pl
from conf.schema.train import Train
from models.modules.weight_averaging import WeightAverage
from models.optimizers import build_optimizer, build_schedule, undecayed
from models.pretrained.adalora import RANKS, RankAllocation

if TYPE_CHECKING:
    from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig


class TrainableModule(pl.LightningModule):
    """A network with its optimiser, its AdaLoRA rank allocation and its weight average, if any.

    The state holds trained parameters and buffers only: frozen weights are loaded from their files.
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
    def inference_net(self) -> nn.Module:
        """The network to predict with: the averaged one, if there is any."""
        return self.net if self.average is None else self.average.net

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step the optimiser, then update the rank allocation and the weight average."""
        super().optimizer_step(*args, **kwargs)
        if self.allocation is not None:
            self.allocation.after_step()
        if self.average is not None:
            self.average.update(self.net)

    def inference_state(self) -> dict[str, Tensor]:
        """State of the network to predict with, under `net.*`: averaged weights, if there are
        any."""
        state = self.state_dict()
        if self.average is None:
            return state
        start = "average."
        return {n.removeprefix(start): t for n, t in state.items() if n.startswith(f"{start}net.")}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the AdaLoRA rank allocation in the checkpoint."""
        if self.allocation is not None:
            checkpoint[RANKS] = self.allocation.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the AdaLoRA rank allocation from the checkpoint."""
        if self.allocation is not None:
            self.allocation.restore(checkpoint[RANKS])

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimiser, and a schedule that is stepped after every optimiser step."""
        factors: dict[nn.Parameter, float] = getattr(self.net, "lr_factors", dict)()
        optimizer = self.wrapped_optimizer(
            build_optimizer(self._train_config, self.net.parameters(), factors, undecayed(self.net))
        )
        schedule = build_schedule(self._train_config, optimizer, self._total_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def wrapped_optimizer(self, optimizer: Optimizer) -> Optimizer:
        """Hook for subclasses that wrap the optimiser; returns it unchanged."""
        return optimizer
