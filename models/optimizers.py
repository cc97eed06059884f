"""Optimiser and course of the learning rate, from section `train`."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from conf.train import Train


def build_optimizer(train: Train, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """The optimiser that `train.optimizer` names, over the parameters that are trained.

    Biases and the scales of norms (one-dimensional parameters) are not decayed.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": train.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if train.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=train.lr, momentum=0.9, nesterov=True)
    kind = torch.optim.AdamW if train.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=train.lr)


def learning_rate_factor(schedule: str, step: int, total_steps: int) -> float:
    """Share of the peak learning rate at an optimiser step, counted from 0."""
    if schedule == "constant":
        return 1.0
    done = min(step / max(total_steps, 1), 1.0)
    return 0.5 * (1.0 + math.cos(math.pi * done))


def build_schedule(train: Train, optimizer: Optimizer, total_steps: int) -> LambdaLR:
    """The schedule over all steps of a full trial, whatever epoch this attempt ends at."""
    return LambdaLR(optimizer, lambda step: learning_rate_factor(train.schedule, step, total_steps))
