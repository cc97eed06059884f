"""AdaLoRA's part in a training: ranks go to the layers that need them most."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

PARTS = 1_000
"""The phases of a training are written down in so many parts of it, its steps being unknown yet."""
RANKS = "ranks"
"""Name of what is known of them in a checkpoint."""
KNOWN = ("ipt", "exp_avg_ipt", "exp_avg_unc")


class RankAllocation:
    """Follows the worth of every rank, and takes from layers what others need more.

    What it knows is part of a trial's state, so that an interrupted one goes on as if it had not
    been.
    """

    def __init__(self, adapter: Any, total_steps: int) -> None:
        """`adapter` is the library's AdaLoRA, whose phases are in parts of a training."""
        self._adapter, self._step = adapter, 0
        config = self._config
        starting, ending = (part * total_steps // PARTS for part in (config.tinit, config.tfinal))
        config.total_step, config.tinit, config.tfinal = total_steps, starting, ending

    @classmethod
    def of(cls, net: nn.Module, total_steps: int) -> RankAllocation | None:
        """Of a network of ours around the library's; None where nothing is to be allocated."""
        adapter = getattr(getattr(net, "net", None), "base_model", None)
        return cls(adapter, total_steps) if hasattr(adapter, "rankallocator") else None

    @property
    def _config(self) -> Any:
        return self._adapter.peft_config[self._adapter.trainable_adapter_name]

    def penalty(self) -> Tensor:
        """How far the directions of a change are from orthogonal, to be added to the loss."""
        far = []
        for name, each in self._adapter.model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                square = each @ each.T if "lora_A" in name else each.T @ each
                far.append(torch.linalg.norm(square - torch.eye(len(square), device=each.device)))
        return self._config.orth_reg_weight * torch.stack(far).mean()

    def after_step(self) -> None:
        """After an optimiser step, while its gradients are there."""
        self._step += 1
        self._adapter.update_and_allocate(self._step)

    def state(self) -> dict[str, Any]:
        """Plain containers and tensors."""
        known = {name: dict(getattr(self._adapter.rankallocator, name)) for name in KNOWN}
        return {"step": self._step, "pattern": self._config.rank_pattern, **known}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self._step, self._config.rank_pattern = state["step"], state["pattern"]
        for name in KNOWN:
            setattr(self._adapter.rankallocator, name, dict(state[name]))
