from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from conf.loading.digests import trial_digest
from conf.loading.trial_values import apply_values
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.champion.retest_candidates import contenders, posterior_means
from tasks.study.events import Asked, Attempt, Finished, Suggested
from tasks.study.lock import Holder
from tasks.study.reader import StudyRecord
from tasks.study.writer import OpenStudy

RATES = [10 ** (-4 + 0.25 * step) for step in range(13)]


def recorded(home: Home, rates: Sequence[float], values: Sequence[float]) -> StudyRecord:
    """A study whose complete trials have these learning rates and objectives."""
    space = {"train.lr": {"low": 1e-4, "high": 1e-1, "scale": "log"}}
    study = Study.model_validate({"name": "toy", "search": {"space": space}})
    configs = [apply_values(study.trial_config, {"train.lr": rate}) for rate in rates]
    suggestions = tuple(
        Suggested(number=n, values={"train.lr": rate}, digest=trial_digest(config), origin="test")
        for n, (rate, config) in enumerate(zip(rates, configs, strict=True))
    )
    with OpenStudy.open(home, study, Holder(1, "here", 0.0, ""), 0.0) as journal:
        journal.append(Asked(batch=0, first=0, suggestions=suggestions, time=1.0))
        for number, value in enumerate(values):
            journal.append(
                Attempt(number=number, attempt=1, until=12, time=2.0),
                Finished(
                    number=number, attempt=1, outcome="complete", value=value, epochs=12, time=3.0
                ),
            )
    return StudyRecord.read(home, "toy")


def hill(rate: float) -> float:
    """Best at 1e-2, smooth."""
    return 0.9 - 0.1 * (math.log10(rate) + 2) ** 2


def test_under_noise_the_first_contender_is_truly_better_than_the_best_value(
    tmp_path: Path,
) -> None:
    lucky = expected = 0.0
    for seed in range(6):
        chance = random.Random(seed)
        rates = [10 ** chance.uniform(-4, -1) for _ in range(30)]
        values = [hill(rate) + chance.gauss(0, 0.03) for rate in rates]
        record = recorded(Home.open(tmp_path / str(seed)), rates, values)
        assert record.best is not None
        lucky += hill(rates[record.best.number])
        expected += hill(rates[contenders(record, 1)[0]])
    assert expected > lucky


def test_a_smooth_objective_is_ranked_as_it_is(home: Home) -> None:
    record = recorded(home, RATES, [hill(rate) for rate in RATES])
    best = [trial.number for trial in record.leaderboard()][:3]
    assert set(contenders(record, 3)) == set(best)
    assert len(posterior_means(record)) == len(RATES)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_with_few_trials_the_leaderboard_decides(home: Home, count: int) -> None:
    record = recorded(home, RATES[:4], [0.1, 0.4, 0.3, 0.2])
    assert contenders(record, count) == [1, 2, 3, 0][:count]
