"""Optimiser and learning-rate schedule, from section `train`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

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
NORM = re.compile("Norm|GRN$")
"""Pattern in the class name of a normalisation layer, such as ConvNeXt V2's `ConvNextV2GRN`."""
POSITION = re.compile("position|pos_emb|rel_emb|rel_pos|relative|distance_emb|^wpe$", re.IGNORECASE)
"""Pattern in the name of a table of positions, absolute or relative."""
PLAIN = re.compile(r"(^|_)bias(_|$)|_tokens?$|^mask_emb$|scale|gamma|lambda")
"""Pattern in the name of a parameter that is a bias, a learnt token or a scale."""
BIAS_TABLE = re.compile(r"(^|_)rel\w*_bias$")
"""Pattern in the name of a layer whose weight is a table of relative position biases."""


def build_optimizer(
    train: Train,
    parameters: Iterable[nn.Parameter],
    factors: Mapping[nn.Parameter, float] | None = None,
    exempt: Collection[nn.Parameter] = (),
) -> Optimizer:
    """The optimiser of `train.optimizer` over the parameters that require gradients.

    One-dimensional parameters, those marked `UNDECAYED` and those in `exempt` get no weight decay.

    Args:
        train: the optimiser, its learning rate and weight decay (decoupled in AdamW,
            arXiv:1711.05101).
        parameters: all parameters of the network.
        factors: learning rates of parameters as multiples of `train.lr`; 1 where absent.
        exempt: parameters without weight decay, see `undecayed`.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    factor_of, plain = factors or {}, set(exempt)

    def decayed(parameter: nn.Parameter) -> bool:
        marked = getattr(parameter, UNDECAYED, False) or parameter in plain
        return parameter.ndim > 1 and not marked

    groups = []
    for factor in dict.fromkeys(factor_of.get(parameter, 1.0) for parameter in trained):
        members = [parameter for parameter in trained if factor_of.get(parameter, 1.0) == factor]
        lr = train.lr * factor
        groups += [
            {
                "params": [p for p in members if decayed(p)],
                "lr": lr,
                "weight_decay": train.weight_decay,
            },
            {"params": [p for p in members if not decayed(p)], "lr": lr, "weight_decay": 0.0},
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


def undecayed(net: nn.Module) -> set[nn.Parameter]:
    """Parameters that weight decay leaves out because of their role, whatever their shape.

    These are biases, scales and shifts of normalisation layers, tables of positions, learnt tokens
    such as ViT's class token, and scale factors: they do not multiply activations of a layer as a
    weight matrix does, and pulling them to zero only moves them (compare `no_weight_decay` of timm,
    https://github.com/huggingface/pytorch-image-models). Several have more than one dimension:
    ConvNeXt V2's response normalisation (1, 1, 1, channels), Swin's relative position table
    (offsets, heads), T5's (buckets, heads), XLNet's biases (heads, width).
    """
    return {
        parameter
        for path, module in net.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
        if _is_plain(module, path, name)
    }


def _is_plain(module: nn.Module, path: str, name: str) -> bool:
    """Whether a parameter of the module at this path has no weight decay."""
    kind, owners = type(module).__name__, path.split(".")[-2:]
    if PLAIN.search(name) or BIAS_TABLE.search(owners[-1]):
        return True
    if name != "weight" and POSITION.search(name):
        return True
    if "Embed" in kind or isinstance(module, nn.Embedding | nn.ParameterList):
        return any(POSITION.search(each) for each in (*owners, kind))
    return bool(NORM.search(kind))


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
