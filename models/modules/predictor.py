"""The LightningModule for classification, multilabel and regression networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from conf.runtime.errors import BadInput
from conf.schema.train import Train
from models.modules.adversarial import adversarial_losses
from models.modules.base import TrainableModule
from models.modules.dp_sgd import PrivateTraining
from models.networks.targets import Batch, ClassTarget, Target


class PredictorModule(TrainableModule):
    """Trains `net` by the loss of its target; validates and predicts."""

    def __init__(
        self,
        net: nn.Module,
        train: Train,
        total_steps: int,
        answer: Target | None = None,
    ) -> None:
        """`total_steps` is the number of optimiser steps of a full trial; the target defaults to
        one class."""
        super().__init__(net, train, total_steps)
        self.answer = answer or ClassTarget(train.label_smoothing)
        self.private = PrivateTraining.of(train, total_steps)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (n, outputs)."""
        return self.net(x)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch, times its weight in the optimiser step.

        Raises:
            BadInput: a private batch is divided into micro-batches or over devices.
        """
        if self.private is not None and self.loss_weight != 1.0:
            raise BadInput(
                "train.privacy: a batch goes through the model at once, and this one is divided; "
                "lower train.batch_size, or use one device"
            )
        epsilon = self._train_config.adversarial
        if epsilon is None:
            loss = self.answer.loss(logits(self.net, batch), batch)
        else:
            plain, worst = adversarial_losses(self.net, batch, epsilon, self.answer.loss)
            loss = (plain + worst) / 2
        if self.allocation is not None:
            loss = loss + self.allocation.penalty()
        return loss * self.loss_weight

    def validation_step(self, batch: Batch, batch_idx: int) -> Batch:
        """`id` of shape (n,) and the target's columns: `target`, and `probabilities` or
        `prediction`."""
        return self.predict_step(batch, batch_idx)

    def predict_step(self, batch: Batch, batch_idx: int) -> Batch:
        """Like `validation_step`; with averaged weights, if there are any."""
        outputs = logits(self.inference_net, batch)
        return {"id": batch["id"], **self.answer.columns(outputs, batch)}

    def on_train_epoch_start(self) -> None:
        """Log the privacy budget (epsilon) spent by the end of the epoch."""
        if self.private is not None:
            steps = self.trainer.global_step + int(self.trainer.num_training_batches)
            self.log("train/epsilon", self.private.spent(steps))

    def state_dict(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """The state without frozen weights."""
        state = super().state_dict(*args, **kwargs)
        frozen = {
            name
            for name, parameter in self.net.named_parameters(prefix="net", remove_duplicate=False)
            if not parameter.requires_grad
        }
        frozen |= {name.replace("net.", "average.net.", 1) for name in frozen}
        return {name: value for name, value in state.items() if name not in frozen}

    def wrapped_optimizer(self, optimizer: Optimizer) -> Optimizer:
        """In private training, an optimiser that clips per-row gradients and adds noise."""
        return optimizer if self.private is None else self.private.optimizer(self.net, optimizer)


def logits(net: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Logits of a batch; for texts the network also gets the mask."""
    outputs: Tensor = net(batch["x"], batch["mask"]) if "mask" in batch else net(batch["x"])
    return outputs
