"""Optimiser and learning-rate schedule, from section `train`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from conf.schema.train import Train

PLATEAU_EPOCHS, PLATEAU_GAIN, PLATEAU_FACTOR = 2, 0.01, 3.0
"""Epochs without a relative improvement of the loss by `PLATEAU_GAIN`, after which the learning
rate is divided by `PLATEAU_FACTOR`."""
ONE_CYCLE_RISE = 0.3
"""Share of all steps over which `one-cycle` rises, unless `warmup` is set."""
ONE_CYCLE_START = 1 / 25
"""Initial learning rate of `one-cycle` as a share of its peak; the final one is a thousandth of
that."""
UNDECAYED = "_no_weight_decay"
"""Attribute of a parameter that is exempt from weight decay whatever its shape."""


def build_optimizer(
    train: Train,
    parameters: Iterable[nn.Parameter],
    factors: Mapping[nn.Parameter, float] | None = None,
) -> Optimizer:
    """The optimiser of `train.optimizer` over the parameters that require gradients.

    One-dimensional parameters (biases and normalisation scales) and those marked `UNDECAYED` get no
    weight decay.

    Args:
        train: the optimiser, its learning rate and weight decay (decoupled in AdamW,
            arXiv:1711.05101).
        parameters: all parameters of the network.
        factors: learning rates of parameters as multiples of `train.lr`; 1 where absent.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    factor_of = factors or {}
    groups = []
    for factor in dict.fromkeys(factor_of.get(parameter, 1.0) for parameter in trained):
        members = [parameter for parameter in trained if factor_of.get(parameter, 1.0) == factor]
        lr = train.lr * factor
        groups += [
            {
                "params": [p for p in members if _is_decayed(p)],
                "lr": lr,
                "weight_decay": train.weight_decay,
            },
            {"params": [p for p in members if not _is_decayed(p)], "lr": lr, "weight_decay": 0.0},
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
    """Learning rate at an optimiser step, as a share of the peak.

    A linear warm-up over the first `warmup` share of the steps is followed by the schedule over
    the remaining ones: constant, linear, cosine (arXiv:1608.03983) or one-cycle
    (arXiv:1708.07120), whose warm-up follows a cosine. Steps are counted from 0.
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
    """Cosine up to the peak, then cosine down to almost 0."""
    peak = max(share * total_steps, 1.0)
    if step < peak:
        return _between(ONE_CYCLE_START, 1.0, step / peak)
    down = min((step - peak) / max(total_steps - peak, 1.0), 1.0)
    return _between(1.0, ONE_CYCLE_START / 1_000, down)


def _between(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * done))


class ReducibleSchedule(LambdaLR):
    """A per-step schedule times `reduction`, which is lowered by the callback for plateaus."""

    def __init__(self, optimizer: Optimizer, factor: Callable[[int], float]) -> None:
        self.reduction = 1.0
        super().__init__(optimizer, lambda step: self.reduction * factor(step))


def build_schedule(train: Train, optimizer: Optimizer, total_steps: int) -> ReducibleSchedule:
    """The schedule over all steps of a full trial, even if this attempt ends earlier."""

    def factor(step: int) -> float:
        return learning_rate_factor(train.schedule, step, total_steps, train.warmup)

    return ReducibleSchedule(optimizer, factor)


def plateau_reduction(losses: Sequence[float]) -> float:
    """Factor of the learning rate after epochs with these training losses: 1/3 for every plateau,
    of `PLATEAU_EPOCHS` epochs that do not improve on the lowest loss by `PLATEAU_GAIN`."""
    reduction, lowest, waited = 1.0, math.inf, 0
    for loss in losses:
        waited += 1
        if lowest - loss > PLATEAU_GAIN * abs(lowest) or lowest == math.inf:
            lowest, waited = loss, 0
        elif waited >= PLATEAU_EPOCHS:
            reduction, waited = reduction / PLATEAU_FACTOR, 0
    return reduction
