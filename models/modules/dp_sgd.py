"""Differentially private training (DP-SGD, Abadi et al. 2016, arXiv:1607.00133) with Opacus."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from torch import nn
from torch.optim import Optimizer

from conf.runtime.errors import BadInput
from conf.schema.train import Train

if TYPE_CHECKING:
    from opacus.optimizers import DPOptimizer


def check_installed() -> None:
    """Refuse private training if Opacus is not installed.

    Raises:
        BadInput: names the command that installs it.
    """
    from importlib.util import find_spec

    if find_spec("opacus") is None:
        raise BadInput(
            "train.privacy needs Opacus, which is not installed; install the extra: "
            "pip install --constraint constraints.txt -e '.[privacy]'"
        )


@dataclass(frozen=True)
class PrivateTraining:
    """The privacy budget of a trial, and the noise that meets it over all steps.

    The noise is drawn from torch's generator, which is seeded for each epoch: a resumed trial adds
    the same noise. The study's seed must stay secret, since it determines the noise.
    """

    epsilon: float
    delta: float
    clip: float
    rate: float
    """Sampling rate: probability that a row is in a batch."""
    steps: int
    """Optimiser steps of a full trial."""
    batch_size: int

    @classmethod
    def of(cls, train: Train, steps: int) -> PrivateTraining | None:
        """The settings of `train.privacy`; None if it is absent."""
        if train.privacy is None:
            return None
        rate = train.epochs / steps
        delta = train.privacy.delta or 0.1 * rate / train.batch_size
        given = train.privacy
        return cls(given.epsilon, delta, given.clip, rate, steps, train.batch_size)

    @cached_property
    def noise(self) -> float:
        """Noise multiplier: standard deviation of the noise, in units of the clipping norm."""
        from opacus.accountants.utils import get_noise_multiplier

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bounds that could be tighter
            return float(
                get_noise_multiplier(
                    target_epsilon=self.epsilon,
                    target_delta=self.delta,
                    sample_rate=self.rate,
                    steps=self.steps,
                    accountant="rdp",
                )
            )

    def spent(self, steps: int) -> float:
        """Epsilon spent after a number of steps, by Renyi accounting (arXiv:1702.07476)."""
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(self.noise, self.rate, steps)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(accountant.get_epsilon(self.delta))

    def optimizer(self, net: nn.Module, plain: Optimizer) -> DPOptimizer:
        """Wrap an optimiser for DP-SGD, and hook the network for per-row gradients.

        Raises:
            BadInput: a layer of the network is not supported (it mixes rows, for example).
        """
        from opacus.grad_sample import GradSampleHooks
        from opacus.optimizers import DPOptimizer
        from opacus.validators import ModuleValidator

        if wrong := ModuleValidator.validate(net, strict=False):
            raise BadInput(f"train.privacy: {wrong[0]}; use another model.kind")
        for module in net.modules():
            if hasattr(module, "inplace"):
                module.inplace = False  # type: ignore[assignment]
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        GradSampleHooks(net, batch_first=True, loss_reduction="mean", strict=False)
        return DPOptimizer(
            plain,
            noise_multiplier=self.noise,
            max_grad_norm=self.clip,
            expected_batch_size=self.batch_size,
            loss_reduction="mean",
        )
