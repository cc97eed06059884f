"""The search: `Optimizer` with ask and tell, and its step `propose` as a pure function.

An `Optimizer` needs nothing else of the project. A caller that keeps a journal takes
`propose(Problem.of(...), count)`.
"""

from tasks.suggest.optimizer import Optimizer
from tasks.suggest.problem import Problem
from tasks.suggest.propose import propose
from tasks.suggest.types import Observation, Proposal, Settings, Suggestion

__all__ = ["Observation", "Optimizer", "Problem", "Proposal", "Settings", "Suggestion", "propose"]
