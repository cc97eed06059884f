"""Gradient checkpointing: memory for time, in pre-trained networks of `transformers`."""

from __future__ import annotations

from torch import nn

from conf.runtime.errors import BadInput


def recompute(net: nn.Module) -> None:
    """Let each layer keep only its input, and compute the rest again on the way back. What is
    computed stays the same, dropout too.

    Raises:
        BadInput: the network has no layers that can.
    """
    from transformers import PreTrainedModel

    for module in net.modules():
        if isinstance(module, PreTrainedModel) and module.supports_gradient_checkpointing:
            module.activation_checkpointing_enable({"use_reentrant": False})
            return
    raise BadInput(
        "train.gradient_checkpointing: goes with pre-trained networks whose layers can be computed "
        "again (model.kind: transformer, vision, seq2seq or causal); leave it out"
    )
