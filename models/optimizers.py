"""Optimiser and course of the learning rate, from section `train`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from conf.schema.train import Train

PLATEAU_EPOCHS, PLATEAU_GAIN, PLATEAU_FACTOR = 2, 0.01, 3.0
"""Epochs without a loss that is so much lower, as a share; what the learning rate is divided by."""
ONE_CYCLE_RISE = 0.3
"""Share of all steps over which `one-cycle` rises, where `warmup` names none."""
ONE_CYCLE_START = 1 / 25
"""Where it begins, as a share of its peak; it ends at a thousandth of that."""
UNDECAYED = "_no_weight_decay"
"""Attribute of a parameter that is a scale, or a bias, whatever its shape."""


def build_optimizer(
    train: Train,
    parameters: Iterable[nn.Parameter],
    factors: Mapping[nn.Parameter, float] | None = None,
) -> Optimizer:
    """The optimiser that `train.optimizer` names, over the parameters that are trained.

    Biases and scales (one-dimensional parameters, and those that say so of themselves) are not
    decayed. `factors` are the learning rates of parameters as multiples of `train.lr`, 1 where a
    parameter is not in it.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    known = factors or {}
    groups = []
    for factor in dict.fromkeys(known.get(parameter, 1.0) for parameter in trained):
        mine = [parameter for parameter in trained if known.get(parameter, 1.0) == factor]
        lr = train.lr * factor
        groups += [
            {
                "params": [p for p in mine if _is_decayed(p)],
                "lr": lr,
                "weight_decay": train.weight_decay,
            },
            {"params": [p for p in mine if not _is_decayed(p)], "lr": lr, "weight_decay": 0.0},
        ]
    match train.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, lr=train.lr, momentum=0.9, nesterov=True)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=train.lr)
        case "adafactor":
            return torch.optim.Adafactor([g for g in groups if g["params"]], lr=train.lr)
        case "adam":
            return torch.optim.Adam(groups, lr=train.lr)
        case _:
            return torch.optim.AdamW(groups, lr=train.lr)


def _is_decayed(parameter: nn.Parameter) -> bool:
    return parameter.ndim > 1 and not getattr(parameter, UNDECAYED, False)


def learning_rate_factor(schedule: str, step: int, total_steps: int, warmup: float = 0.0) -> float:
    """Share of the peak learning rate at an optimiser step, counted from 0.

    Over the first `warmup` share of all steps it rises in a line (`one-cycle`: along a cosine), and
    then follows the schedule over the steps that are left.
    """
    if schedule == "one-cycle":
        return _one_cycle(step, total_steps, warmup or ONE_CYCLE_RISE)
    rising = math.ceil(warmup * total_steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    done = min((step - rising) / max(total_steps - rising, 1), 1.0)
    if schedule in ("constant", "plateau"):
        return 1.0
    if schedule == "linear":
        return 1.0 - done
    return 0.5 * (1.0 + math.cos(math.pi * done))


def _one_cycle(step: int, total_steps: int, share: float) -> float:
    """Up along a cosine, then down along one to almost nothing."""
    peak = max(share * total_steps, 1.0)
    if step < peak:
        return _between(ONE_CYCLE_START, 1.0, step / peak)
    down = min((step - peak) / max(total_steps - peak, 1.0), 1.0)
    return _between(1.0, ONE_CYCLE_START / 1_000, down)


def _between(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * done))


class ReducibleSchedule(LambdaLR):
    """A learning rate that follows its schedule by step, times `reduction`, which whoever knows the
    losses of the epochs may lower."""

    def __init__(self, optimizer: Optimizer, factor: Callable[[int], float]) -> None:
        self.reduction = 1.0
        super().__init__(optimizer, lambda step: self.reduction * factor(step))


def build_schedule(train: Train, optimizer: Optimizer, total_steps: int) -> ReducibleSchedule:
    """The schedule over all steps of a full trial, whatever epoch this attempt ends at."""

    def factor(step: int) -> float:
        return learning_rate_factor(train.schedule, step, total_steps, train.warmup)

    return ReducibleSchedule(optimizer, factor)


def plateau_reduction(losses: Sequence[float]) -> float:
    """What the learning rate is multiplied by after epochs of these losses: a third for every
    plateau, of `PLATEAU_EPOCHS` epochs that are not `PLATEAU_GAIN` below the lowest before them."""
    reduction, lowest, waited = 1.0, math.inf, 0
    for loss in losses:
        waited += 1
        if lowest - loss > PLATEAU_GAIN * abs(lowest) or lowest == math.inf:
            lowest, waited = loss, 0
        elif waited >= PLATEAU_EPOCHS:
            reduction, waited = reduction / PLATEAU_FACTOR, 0
    return reduction
