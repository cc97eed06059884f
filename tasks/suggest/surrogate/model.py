"""Surrogate of one step: Gaussian processes of the loss and of feasibility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from tasks.suggest.problem import Problem
from tasks.suggest.surrogate.gp import GaussianProcess, condition, fit
from tasks.suggest.surrogate.kernel import Features, Theta, features
from tasks.suggest.surrogate.output_transform import standardised
from tasks.suggest.types import BayesOptions, Observation, Rows, Vector

_FITTED = 300
"""Points whose likelihood is maximised: the cost of a fit grows with their cube."""
_KEPT = 600
"""Points that the process is conditioned on."""
_FEASIBILITY = 200
_MARGIN = 0.3


@dataclass(frozen=True)
class Surrogate:
    """The fitted models of one step."""

    loss: GaussianProcess
    """Of the standardised loss, with fantasies at the pending points."""
    feasibility: GaussianProcess | None
    """Of labels 1 (ended well) and -1 (failed); None where no configuration failed."""
    best: float
    """Least posterior mean over tried and pending points: an incumbent free of lucky noise."""
    incumbents: Rows
    """Tried configurations by posterior mean, best first."""
    raw: Vector
    """Losses in the user's units, sorted; shape (n,), as `levels`."""
    levels: Vector
    """The same losses, transformed."""

    def log_feasible(self, at: Features) -> Vector:
        """Log weight of feasibility, shape (n,): twice the log probability of not failing.

        Twice, since a failure costs a whole trial and does not even inform the model of the loss.
        """
        if self.feasibility is None:
            return np.zeros(len(at))
        mean, variance = self.feasibility.predict(at)
        return np.asarray(2.0 * log_ndtr((mean - _MARGIN) / np.sqrt(0.1 + variance)))


def surrogate(
    problem: Problem,
    observations: Sequence[Observation],
    rows: Rows,
    losses: Vector,
    options: BayesOptions,
) -> tuple[Surrogate, dict[str, list[float]]]:
    """The fitted surrogate, and its hyper-parameters as state for the next step.

    Args:
        problem: The step.
        observations: Those that lie in the space, by number.
        rows: Their rows, (n, d).
        losses: A loss for each scored observation, in order.
        options: Ingredients that are on.
    """
    scored = np.array([observation.scored for observation in observations])
    levels = standardised(losses, options.transform)
    points = features(problem.space, rows[scored])
    kept = chosen_points(levels, _KEPT, problem.generator)
    theta = _fitted(points.take(kept), levels[kept], options, problem)
    conditioned = condition(theta, points.take(kept), levels[kept])
    if options.plateau:
        conditioned = replace(conditioned, plateau_values=levels[kept])
    expected = conditioned.predict(points.take(kept))[0]
    order = np.argsort(expected, kind="stable")
    pending = features(problem.space, problem.pending_rows())
    pending_means = conditioned.predict(pending)[0]
    failed = np.array([observation.infeasible for observation in observations])
    feasibility, state = _feasibility(problem, rows, scored, failed, options)
    sorting = np.argsort(losses, kind="stable")
    model = Surrogate(
        loss=conditioned.condition_on_mean(pending),
        feasibility=feasibility,
        best=float(min(expected[order[0]], *pending_means))
        if len(pending_means)
        else float(expected[order[0]]),
        incumbents=rows[scored][kept][order],
        raw=losses[sorting],
        levels=levels[sorting],
    )
    return model, {"theta": _rounded(theta), **state}


def chosen_points(levels: Vector, most: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Indices of at most `most` points, rising: the best half, and a random half of the rest."""
    if len(levels) <= most:
        return np.arange(len(levels))
    order = np.argsort(levels, kind="stable")
    best, rest = order[: most // 2], order[most // 2 :]
    others = generator.choice(rest, size=most - most // 2, replace=False)
    return np.sort(np.concatenate([best, others]))


def _fitted(
    points: Features,
    levels: Vector,
    options: BayesOptions,
    problem: Problem,
) -> Theta:
    chosen = chosen_points(levels, _FITTED, problem.generator)
    start = problem.carried("theta")
    return fit(points.take(chosen), levels[chosen], start=start, warp=options.warp)


def _feasibility(
    problem: Problem,
    rows: Rows,
    scored: NDArray[np.bool_],
    failed: NDArray[np.bool_],
    options: BayesOptions,
) -> tuple[GaussianProcess | None, dict[str, list[float]]]:
    """Gaussian process regression on the labels: cheaper than a classifier, smooth at the edge."""
    if not options.feasibility or not failed.any():
        return None, {}
    ended = np.flatnonzero(scored | failed)
    labels = np.where(failed[ended], -1.0, 1.0)
    chosen = chosen_points(labels, _FEASIBILITY, problem.generator)
    points = features(problem.space, rows[ended[chosen]])
    theta = fit(points, labels[chosen] - 1.0, start=problem.carried("failures"), warp=False)
    # Far from every result the label is 1: what was never tried is taken to run.
    process = condition(theta, points, labels[chosen] - 1.0)
    return process.shifted(1.0), {"failures": _rounded(theta)}


def _rounded(theta: Theta) -> list[float]:
    return [round(float(entry), 6) for entry in theta.vector]
