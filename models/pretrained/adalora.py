"""AdaLoRA in a training: allocate ranks to the layers that need them most (arXiv:2303.10512)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

PARTS = 1_000
"""Resolution of the phases of a training before its number of steps is known."""
RANKS = "ranks"
"""Key of the rank allocation in a checkpoint."""
KNOWN = ("ipt", "exp_avg_ipt", "exp_avg_unc")


class RankAllocation:
    """Updates the importance of every rank, and prunes the least important ones.

    Its state is in the checkpoint, so that a resumed trial equals an uninterrupted one.
    """

    def __init__(self, adapter: Any, total_steps: int) -> None:
        """`adapter` is the AdaLoRA model of `peft`, with phases in `PARTS` of the training."""
        self._adapter, self._step = adapter, 0
        config = self._config
        starting, ending = (part * total_steps // PARTS for part in (config.tinit, config.tfinal))
        config.total_step, config.tinit, config.tfinal = total_steps, starting, ending

    @classmethod
    def of(cls, net: nn.Module, total_steps: int) -> RankAllocation | None:
        """The allocation of a network; None if it is not tuned by AdaLoRA."""
        adapter = getattr(getattr(net, "net", None), "base_model", None)
        return cls(adapter, total_steps) if hasattr(adapter, "rankallocator") else None

    @property
    def _config(self) -> Any:
        return self._adapter.peft_config[self._adapter.trainable_adapter_name]

    def penalty(self) -> Tensor:
        """Orthogonality regularisation of the update directions, to be added to the loss."""
        far = []
        for name, each in self._adapter.model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                square = each @ each.T if "lora_A" in name else each.T @ each
                far.append(torch.linalg.norm(square - torch.eye(len(square), device=each.device)))
        return self._config.orth_reg_weight * torch.stack(far).mean()

    def after_step(self) -> None:
        """Update and prune after an optimiser step, before gradients are reset."""
        self._step += 1
        self._adapter.update_and_allocate(self._step)

    def state(self) -> dict[str, Any]:
        """State for a checkpoint: plain containers and tensors."""
        known = {name: dict(getattr(self._adapter.rankallocator, name)) for name in KNOWN}
        return {"step": self._step, "pattern": self._config.rank_pattern, **known}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        self._step, self._config.rank_pattern = state["step"], state["pattern"]
        for name in KNOWN:
            setattr(self._adapter.rankallocator, name, dict(state[name]))
