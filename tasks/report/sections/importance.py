"""Importance of the searched settings for the objective and for the training time.

The shares are Sobol total effects of the surrogate model, by the estimator of Jansen
(doi:10.1016/S0010-4655(98)00154-4); functional ANOVA of a surrogate (fANOVA) answers the same
question (Hutter et al. 2014, proceedings.mlr.press/v32/hutter14.html).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tasks.report import format as words
from tasks.report.leaderboard import settings, short
from tasks.study.event_builders import observations
from tasks.study.reader import StudyRecord
from tasks.suggest.analysis.fitted_model import FittedModel, fit_model
from tasks.suggest.analysis.importance import Importance, importance
from tasks.suggest.problem import Problem

TRUSTED = 0.25
"""Share of the variance between held-out trials that a surrogate model must explain to be shown."""


@dataclass(frozen=True)
class FittedQuantity:
    """A surrogate model fitted to one quantity."""

    of: str
    """`accuracy`, `time of a trial`."""
    model: FittedModel
    importance: Importance

    @property
    def trusted(self) -> bool:
        """Whether the model explains enough of held-out trials to be shown."""
        return self.importance.predictivity >= TRUSTED


@dataclass(frozen=True)
class ImportanceBars:
    """Bars of one quantity."""

    of: str
    bars: list[tuple[str, str, int]]
    """Setting, its share as text, and in whole per cent; empty if the model predicts too little to
    rely on it."""
    note: str
    """The model behind the bars, and how well it predicts."""


def fitted_quantities(record: StudyRecord) -> list[FittedQuantity]:
    """Surrogate models of the objective and of the time; one with too few results is left out."""
    if not record.study.search.space:
        return []
    problem = Problem.of(
        record.study.model_dump(mode="json")["search"]["space"],
        first=0,
        direction=record.state.direction,
        observations=observations(record.state),
    )
    # Losses at lower rungs are converted to what full training would give.
    losses = problem.losses(problem.observations)
    scored = [(o.values, losses[o.number]) for o in problem.observations if o.number in losses]
    timed = [
        (o.values, math.log(o.seconds))
        for o in problem.observations
        if o.seconds and o.outcome == "complete"
    ]
    objective, seed = words.name(record.study.evaluate.objective), record.study.seed
    fitted = []
    for of, results in ((objective, scored), ("time of a trial", timed)):
        generator = np.random.default_rng([seed, len(results)])
        if (model := fit_model(problem.space, results, generator)) is not None:
            fitted.append(FittedQuantity(of, model, importance(model, generator)))
    return fitted


def shown_importance(record: StudyRecord, fitted: list[FittedQuantity]) -> list[ImportanceBars]:
    """Bars for each quantity."""
    names = short(settings(record))
    return [
        ImportanceBars(
            each.of,
            [
                (names[key], f"{100 * min(share, 1.0):.0f} %", round(100 * min(share, 1.0)))
                for key, share in each.importance.shares.items()
                if each.trusted
            ],
            _note(each),
        )
        for each in fitted
    ]


def _note(fitted: FittedQuantity) -> str:
    share = max(fitted.importance.predictivity, 0.0)
    basis = (
        f"From a surrogate model of {words.count(fitted.importance.results, 'trial')}, which "
        f"explains {100 * share:.0f} % of the variance between held-out trials"
    )
    if fitted.trusted:
        return f"{basis}."
    return f"{basis}: too little to tell which settings matter."
