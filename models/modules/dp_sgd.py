"""Differentially private training by Opacus: each row's gradient clipped, noise added, and counted.

The noise is drawn from torch's generator, which an epoch's seed sets: a trial that is continued
adds the same noise. Who knows the study's seed could take it off again.
"""

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
    """Refuse private training where its library is not.

    Raises:
        BadInput: says how to install it.
    """
    from importlib.util import find_spec

    if find_spec("opacus") is None:
        raise BadInput(
            "train.privacy needs Opacus, which is not installed; install the extra: "
            "pip install --constraint constraints.txt -e '.[privacy]'"
        )


@dataclass(frozen=True)
class PrivateTraining:
    """The promise of a trial, and the noise that keeps it over all of its steps."""

    epsilon: float
    delta: float
    clip: float
    rate: float
    """Chance of a row to stand in a batch."""
    steps: int
    """Of a full trial."""
    batch_size: int

    @classmethod
    def of(cls, train: Train, steps: int) -> PrivateTraining | None:
        """What a configuration asks for; None where it asks for nothing."""
        if train.privacy is None:
            return None
        rate = train.epochs / steps
        delta = train.privacy.delta or 0.1 * rate / train.batch_size
        given = train.privacy
        return cls(given.epsilon, delta, given.clip, rate, steps, train.batch_size)

    @cached_property
    def noise(self) -> float:
        """Deviation of the noise, in largest norms of one row's gradient."""
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
        """Epsilon after so many steps."""
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(self.noise, self.rate, steps)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(accountant.get_epsilon(self.delta))

    def optimizer(self, net: nn.Module, plain: Optimizer) -> DPOptimizer:
        """An optimiser whose steps are private; the network keeps the gradient of each row.

        Raises:
            BadInput: the network mixes rows, or changes values in place.
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
