"""Fully sharded data parallel: divide weights, gradients and optimiser state over the devices.

For models that do not fit on one device (Zhao et al., "PyTorch FSDP", arXiv:2304.11277).
Checkpoints and weights are written whole, in the form that one device writes, so that a trial can
be continued on another number of devices and its weights be loaded anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import ModelParallelStrategy
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from conf.runtime.errors import BadInput
from tasks.train.spec import TrialSpec

BYTES = 16
"""A parameter's in training: its value, its gradient and Adam's two averages, of 4 bytes each."""
ROOM = 0.5
"""Share of a device's memory that these may take; the rest is for what a batch leaves behind."""

T = TypeVar("T")


def strategy_of(spec: TrialSpec, module: pl.LightningModule) -> Any:
    """How Lightning is to use the trial's devices; makes the module ready for it.

    Raises:
        BadInput: the model cannot be divided.
    """
    if spec.devices == 1:
        return "auto"
    refusal = why_not(spec)
    if spec.strategy == "fsdp" and refusal:
        raise BadInput(f"resources.strategy: fsdp does not go with {refusal}; use ddp")
    parameters = sum(each.numel() for each in module.parameters())
    wanted = spec.strategy == "fsdp" or (spec.strategy == "auto" and is_large(parameters, memory()))
    if not wanted or refusal:
        return "ddp"
    kind = type(module)
    module.__class__ = type(f"Divided{kind.__name__}", (Divided, kind), {})
    return Sharded(spec.devices)


def why_not(spec: TrialSpec) -> str:
    """The setting that the division of a model does not know; empty if there is none."""
    train, model = spec.config.train, spec.config.model
    if not model.capabilities.sharded:
        return f"model.kind: {model.kind}"
    if getattr(model, "tune", "full") != "full":
        return f"model.tune: {getattr(model, 'tune', '')}"
    if train.average != "none":
        return f"train.average: {train.average}"
    if train.adversarial is not None:
        return "train.adversarial"
    return f"train.precision: {train.precision}" if train.precision == "float16" else ""


def is_large(parameters: int, room: int | None) -> bool:
    """Whether training so many parameters wants more than one device of so many bytes; never on the
    CPU (None), where all processes share one memory."""
    return room is not None and parameters * BYTES > ROOM * room


def memory() -> int | None:
    """Bytes of this process's device; None on the CPU."""
    if not torch.cuda.is_available():
        return None
    return int(torch.cuda.mem_get_info()[1])


def whole(value: T) -> T:
    """A value, with every divided tensor in it put together on the CPU. All processes must ask."""
    if isinstance(value, DTensor):
        return value.full_tensor().cpu()  # type: ignore[return-value]
    if isinstance(value, Mapping):
        return {key: whole(each) for key, each in value.items()}  # type: ignore[return-value]
    return value


def divided_like(value: Tensor, example: Tensor) -> Tensor:
    """A whole tensor divided as another of its shape is; as it is where that one is not."""
    if not isinstance(example, DTensor) or value.shape != example.shape:
        return value
    value = value.to(example.device)
    return distribute_tensor(value, example.device_mesh, example.placements)


def divide(net: nn.Module, mesh: Any) -> None:
    """Divide a network over devices: its repeated layers each, and then what is left of it."""
    from torch.distributed.fsdp import fully_shard

    for module in net.modules():
        if isinstance(module, nn.ModuleList):
            for layer in module:
                fully_shard(layer, mesh=mesh)
    fully_shard(net, mesh=mesh)


class Divided(pl.LightningModule):
    """What a LightningModule with a `net` needs to be divided."""

    net: nn.Module

    def configure_model(self) -> None:
        """Divide the network, once its devices are known."""
        mesh = self.device_mesh
        assert mesh is not None
        divide(self.net, mesh["data_parallel"])

    def on_validation_start(self) -> None:
        """Let all processes judge by the first one's buffers: each has seen other rows."""
        for buffer in self.buffers():
            torch.distributed.broadcast(buffer, 0)


class Sharded(ModelParallelStrategy):
    """Lightning's strategy for divided models, with whole checkpoints by the trial's own IO."""

    def __init__(self, devices: int) -> None:
        super().__init__(devices, 1, save_distributed_checkpoint=False)

    @property
    def lightning_restore_optimizer(self) -> bool:
        """The trainer hands the optimiser's state to `load_optimizer_state_dict`."""
        return True

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """The whole model."""
        assert self.lightning_module is not None
        return whole(self.lightning_module.state_dict())

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """The whole state, parameters numbered as on one device."""
        return whole(getattr(optimizer, "_optimizer", optimizer).state_dict())

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> Any:
        """A whole checkpoint, in every process."""
        return self.checkpoint_io.load_checkpoint(checkpoint_path, weights_only=weights_only)

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Each process takes its part of the whole model."""
        module = self.lightning_module
        assert module is not None
        here = module.state_dict()
        state = checkpoint["state_dict"]
        module.load_state_dict(
            {name: divided_like(each, here.get(name, each)) for name, each in state.items()},
            strict=strict,
        )

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Each process takes its part of the whole state."""
        for optimizer, content in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            numbers = [n for group in content["param_groups"] for n in group["params"]]
            of = dict(zip(numbers, parameters, strict=True))
            state = {
                number: {
                    name: divided_like(each, of[number]) if isinstance(each, Tensor) else each
                    for name, each in values.items()
                }
                for number, values in content["state"].items()
            }
            optimizer.load_state_dict({**content, "state": state})
