"""What the searched settings did to the objective and to the time of a trial, for the page."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tasks.report import words
from tasks.report.tables import settings, short
from tasks.study.record import StudyRecord
from tasks.study.steps import observations
from tasks.suggest.importance import Importance, importance
from tasks.suggest.problem import Problem, in_order, reports_of
from tasks.suggest.space import Space

_TRUSTED = 0.25
"""Below this share foretold, the bars say little."""


@dataclass(frozen=True)
class Bars:
    """Bars of one quantity."""

    of: str
    """`accuracy`, `time of a trial`."""
    bars: list[tuple[str, str, int]]
    """Setting, its share as text, and in whole per cent."""
    note: str
    """What they rest on, and how far to trust them."""


def shown_importance(record: StudyRecord) -> list[Bars]:
    """Bars for the objective and for the time; of what too little is known there are none."""
    if not record.study.search.space:
        return []
    space = Space(record.study.model_dump(mode="json")["search"]["space"])
    told = observations(record.state)
    problem = Problem(
        space, record.state.direction, 0, 0, in_order(told), (), reports_of(told), None, {}
    )
    # Rungs apart: losses are as if all had trained in full.
    losses = problem.losses(problem.observations)
    scored = [(o.values, losses[o.number]) for o in problem.observations if o.number in losses]
    timed = [
        (o.values, math.log(o.seconds))
        for o in problem.observations
        if o.seconds and o.outcome == "complete"
    ]
    seed, objective = record.study.seed, words.name(record.study.evaluate.objective)
    quantities = [(objective, scored), ("time of a trial", timed)]
    found = ((of, importance(space, results, seed)) for of, results in quantities)
    return [_bars(record, of, each) for of, each in found if each is not None]


def _bars(record: StudyRecord, of: str, found: Importance) -> Bars:
    names = short(settings(record))
    return Bars(
        of,
        [
            (names[key], f"{100 * min(share, 1.0):.0f} %", round(100 * min(share, 1.0)))
            for key, share in found.shares.items()
        ],
        _note(found),
    )


def _note(found: Importance) -> str:
    share = max(found.foretold, 0.0)
    rests = (
        f"From a model of {words.count(found.results, 'trial')}, which foretells "
        f"{100 * share:.0f} % of the differences between trials that it was not told of"
    )
    return f"{rests}." if share >= _TRUSTED else f"{rests}: too little to rely on the bars."
