"""Which configurations to try next: `Optimizer` alone, `propose` for whoever keeps a journal."""

from tasks.suggest.optimizer import Optimizer
from tasks.suggest.propose import propose
from tasks.suggest.types import Observation, Proposal, Settings, Suggestion

__all__ = ["Observation", "Optimizer", "Proposal", "Settings", "Suggestion", "propose"]
