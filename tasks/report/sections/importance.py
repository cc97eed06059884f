"""Importance of the searched settings for the objective and for the training time.

The shares are Sobol total effects of the surrogate model, by the estimator of Jansen
(doi:10.1016/S0010-4655(98)00154-4).
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
"""Below this share foretold, the model says little."""


@dataclass(frozen=True)
class FittedQuantity:
    """What a model learnt of one quantity."""

    of: str
    """`accuracy`, `time of a trial`."""
    model: FittedModel
    importance: Importance

    @property
    def trusted(self) -> bool:
        """Whether the model foretells enough to show what it expects."""
        return self.importance.predictivity >= TRUSTED


@dataclass(frozen=True)
class ImportanceBars:
    """Bars of one quantity."""

    of: str
    bars: list[tuple[str, str, int]]
    """Setting, its share as text, and in whole per cent."""
    note: str
    """What they rest on, and how far to trust them."""


def fitted_quantities(record: StudyRecord) -> list[FittedQuantity]:
    """Of the objective, then of the time; of what too little is known there is none."""
    if not record.study.search.space:
        return []
    problem = Problem.of(
        record.study.model_dump(mode="json")["search"]["space"],
        first=0,
        direction=record.state.direction,
        observations=observations(record.state),
    )
    # Rungs apart: losses are as if all had trained in full.
    losses = problem.losses(problem.observations)
    scored = [(o.values, losses[o.number]) for o in problem.observations if o.number in losses]
    timed = [
        (o.values, math.log(o.seconds))
        for o in problem.observations
        if o.seconds and o.outcome == "complete"
    ]
    objective, seed = words.name(record.study.evaluate.objective), record.study.seed
    found = []
    for of, results in ((objective, scored), ("time of a trial", timed)):
        generator = np.random.default_rng([seed, len(results)])
        if (model := fit_model(problem.space, results, generator)) is not None:
            found.append(FittedQuantity(of, model, importance(model, generator)))
    return found


def shown_importance(record: StudyRecord, learned: list[FittedQuantity]) -> list[ImportanceBars]:
    """Bars for each quantity."""
    names = short(settings(record))
    return [
        ImportanceBars(
            each.of,
            [
                (names[key], f"{100 * min(share, 1.0):.0f} %", round(100 * min(share, 1.0)))
                for key, share in each.importance.shares.items()
            ],
            _note(each),
        )
        for each in learned
    ]


def _note(lesson: FittedQuantity) -> str:
    share = max(lesson.importance.predictivity, 0.0)
    rests = (
        f"From a model of {words.count(lesson.importance.results, 'trial')}, which foretells "
        f"{100 * share:.0f} % of the differences between trials that it was not told of"
    )
    return f"{rests}." if lesson.trusted else f"{rests}: too little to rely on the bars."
