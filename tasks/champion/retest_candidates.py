"""Which trials deserve a re-test: ranked by what the search's model expects, luck apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from conf.schema.study import Study
from tasks.study.event_builders import observations
from tasks.study.reader import StudyRecord
from tasks.suggest.options import DEFAULTS
from tasks.suggest.problem import Problem, in_order, reports_of
from tasks.suggest.space.space import Space
from tasks.suggest.surrogate.kernel import features
from tasks.suggest.surrogate.model import surrogate

FEWEST = 5
"""Complete trials without which the model says less than the trials themselves."""


def contenders(record: StudyRecord, count: int) -> list[int]:
    """Numbers of the most promising complete trials, best first.

    By posterior mean: of many trials the luckiest has the best value, and a neighbourhood of good
    ones says more. With few trials, or nothing to model, by value.
    """
    complete = [t.number for t in record.leaderboard() if t.trial.status == "complete"]
    expected = posterior_means(record) if len(complete) >= FEWEST else {}
    if expected:
        # The leaderboard's order decides between equals: `sorted` is stable.
        complete = sorted(complete, key=lambda number: expected.get(number, np.inf))
    return complete[:count]


def posterior_means(record: StudyRecord) -> Mapping[int, float]:
    """Trial number to the loss that the model expects, in the model's own units, smallest best.

    Empty where the study has no space to model.
    """
    study = record.study
    if not study.search.space:
        return {}
    problem = _problem(study, record)
    found, rows = problem.encoded()
    scored = [observation for observation in found if observation.scored]
    losses = problem.losses(found)
    with threadpool_limits(1):  # the order of sums depends on the threads
        vector = np.array([losses[observation.number] for observation in scored])
        model, _ = surrogate(problem, found, rows, vector, DEFAULTS)
        kept = np.array([observation.scored for observation in found])
        means = model.loss.predict(features(problem.space, rows[kept]))[0]
    return {o.number: float(mean) for o, mean in zip(scored, means, strict=True)}


def _problem(study: Study, record: StudyRecord) -> Problem:
    told = observations(record.state)
    return Problem(
        space=Space(study.model_dump(mode="json")["search"]["space"]),
        direction=study.evaluate.direction,
        seed=study.seed,
        first=record.state.asked,
        observations=in_order(told),
        reports=reports_of(told),
        pending=(),
        start=None,
        state=record.state.memory,
    )
