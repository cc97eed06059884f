"""Which ingredients of the Bayesian strategy are on: what the ablation switches off one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Options:
    """All on, as measured in `benchmarks/search.py`."""

    transform: Literal["power", "none"] = "power"
    """How the losses are reshaped before the model sees them."""
    warp: bool = True
    """Bend the axes of ordered settings."""
    region: bool = True
    """Half of the model's picks in a trust region around the incumbent."""
    density: bool = True
    """Half of the picks by where the better trials crowd, not by the model."""
    plateau: bool = True
    """Take the loss to be flat where neighbouring results are exactly equal."""
    feasibility: bool = True
    """Keep away from where trials failed."""
    initial: int | None = None
    """Points of the initial design; None: by the number of settings."""


DEFAULTS = Options()
