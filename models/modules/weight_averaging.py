"""Weight averaging over the steps of a training: EMA, or SWA (Izmailov et al. 2018,
arXiv:1803.05407)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from conf.schema.train import Train

SWA_FROM = 0.5
"""Share of all steps after which `swa` begins to average."""


class WeightAverage(nn.Module):
    """A copy of the network whose weights are the average.

    All of it is state, so that a resumed training continues the average.
    """

    steps: Tensor

    def __init__(self, net: nn.Module, train: Train, total_steps: int) -> None:
        super().__init__()
        self.net = copy.deepcopy(net)
        self._train, self._start = train, int(SWA_FROM * total_steps)
        self._trained = frozenset(n for n, p in net.named_parameters() if p.requires_grad)
        for parameter in self.net.parameters():
            parameter.requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def train(self, mode: bool = True) -> WeightAverage:
        """Always in evaluation mode: the average only predicts."""
        return super().train(False)

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Add the network's weights to the average; buffers are copied."""
        self.steps += 1
        weight = self._weight(int(self.steps))
        theirs = dict(net.named_parameters())
        for name, mine in self.net.named_parameters():
            if name in self._trained:
                mine.lerp_(theirs[name], weight)
        for kept, buffer in zip(self.net.buffers(), net.buffers(), strict=True):
            kept.copy_(buffer)

    def _weight(self, step: int) -> float:
        """Weight of the new parameters after a step, counted from 1."""
        if self._train.average == "ema":
            # While few steps are in it, the first weights must not weigh for long.
            return 1.0 - min(self._train.average_decay, (1 + step) / (10 + step))
        return 1.0 if step <= self._start else 1.0 / (step - self._start)
