"""The LightningModule of every model that answers: any network that gives a few numbers a row."""

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
    """Trains `net` by the loss of its answer; validates and predicts what that says."""

    def __init__(
        self,
        net: nn.Module,
        train: Train,
        total_steps: int,
        answer: Target | None = None,
    ) -> None:
        """`total_steps` is the number of optimiser steps of a full trial; the answer is a class
        unless it is given."""
        super().__init__(net, train, total_steps)
        self.answer = answer or ClassTarget(train.label_smoothing)
        self.private = PrivateTraining.of(train, total_steps)

    def forward(self, x: Tensor) -> Tensor:
        """What the network gives, (n, outputs)."""
        return self.net(x)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a batch, times its weight among those of an optimiser step."""
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
        """`id` (n,) and the answer's columns: `target`, and `probabilities` or `prediction`."""
        return self.predict_step(batch, batch_idx)

    def predict_step(self, batch: Batch, batch_idx: int) -> Batch:
        """As `validation_step`; by the averaged weights where there are any."""
        said = logits(self.inference_net, batch)
        return {"id": batch["id"], **self.answer.columns(said, batch)}

    def on_train_epoch_start(self) -> None:
        """Log what the training will have spent at the end of the epoch."""
        if self.private is not None:
            steps = self.trainer.global_step + int(self.trainer.num_training_batches)
            self.log("train/epsilon", self.private.spent(steps))

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """All but the frozen weights."""
        state = super().state_dict(*args, **kwargs)
        frozen = {
            name
            for name, parameter in self.net.named_parameters(prefix="net", remove_duplicate=False)
            if not parameter.requires_grad
        }
        frozen |= {name.replace("net.", "average.net.", 1) for name in frozen}
        return {name: value for name, value in state.items() if name not in frozen}

    def wrapped_optimizer(self, optimizer: Optimizer) -> Optimizer:
        """Of private training: by what clips and blurs the rows' gradients."""
        return optimizer if self.private is None else self.private.optimizer(self.net, optimizer)


def logits(net: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """What a network says of a batch; of texts it sees the mask, too."""
    found: Tensor = net(batch["x"], batch["mask"]) if "mask" in batch else net(batch["x"])
    return found
