"""Which trials to re-test: ranked by the posterior mean of the search's surrogate model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from conf.schema.study import Study
from tasks.study.event_builders import observations
from tasks.study.reader import StudyRecord
from tasks.suggest.problem import Problem
from tasks.suggest.surrogate.kernel import features
from tasks.suggest.surrogate.model import surrogate
from tasks.suggest.types import DEFAULT_OPTIONS

MIN_COMPLETE = 5
"""With fewer complete trials the surrogate adds nothing to the measured objectives."""


def contenders(record: StudyRecord, count: int) -> list[int]:
    """Numbers of the most promising complete trials, best first.

    Ranked by posterior mean: the best of many noisy objectives is biased towards luck, and the
    posterior mean shrinks it to its neighbours. With fewer than `MIN_COMPLETE` trials, or without
    a search space, ranked by objective.
    """
    complete = [t.number for t in record.leaderboard() if t.trial.status == "complete"]
    expected = posterior_means(record) if len(complete) >= MIN_COMPLETE else {}
    if expected:
        # `sorted` is stable, so the leaderboard breaks ties.
        complete = sorted(complete, key=lambda number: expected.get(number, np.inf))
    return complete[:count]


def posterior_means(record: StudyRecord) -> Mapping[int, float]:
    """Expected loss of each scored trial by its number, in the surrogate's units (less is better).

    Empty if the study has no search space.
    """
    study = record.study
    if not study.search.space:
        return {}
    problem = _problem(study, record)
    encoded, rows = problem.encoded()
    scored = [observation for observation in encoded if observation.scored]
    losses = problem.losses(encoded)
    with threadpool_limits(1):  # the order of floating-point sums depends on the threads
        vector = np.array([losses[observation.number] for observation in scored])
        model, _ = surrogate(problem, encoded, rows, vector, DEFAULT_OPTIONS)
        is_scored = np.array([observation.scored for observation in encoded])
        means = model.loss.predict(features(problem.space, rows[is_scored]))[0]
    return {o.number: float(mean) for o, mean in zip(scored, means, strict=True)}


def _problem(study: Study, record: StudyRecord) -> Problem:
    return Problem.of(
        study.model_dump(mode="json")["search"]["space"],
        first=record.state.asked,
        direction=study.evaluate.direction,
        seed=study.seed,
        observations=observations(record.state),
        state=record.state.memory,
    )
