"""The settings of a search reach the suggestion step."""

from __future__ import annotations

from conf.loading.load import load_study
from flows.study.tasks import problem_of
from tasks.study.state import State
from tasks.suggest.problem import Problem
from tasks.suggest.types import EarlierTrial

EARLIER = (EarlierTrial("before", {"train.lr": 0.0123}, 0.1),)


def problem(*overrides: str, earlier: tuple[EarlierTrial, ...] = ()) -> Problem:
    """What the suggestion step of a study that has just begun solves."""
    study = load_study("digits", overrides)
    return problem_of(study, State(study.evaluate.direction), earlier)


def test_each_objective_has_its_direction() -> None:
    overrides = [
        "evaluate.metrics=[accuracy, f1_macro, log_loss]",
        "evaluate.objective=[log_loss, f1_macro, latency_ms]",
    ]
    given = problem(*overrides)
    assert given.direction == "minimize"
    assert given.settings.also == (("f1_macro", "maximize"), ("latency_ms", "minimize"))


def test_cost_awareness_and_transfer_sources_are_passed_on() -> None:
    settings = problem("search.cost_aware=true", earlier=EARLIER).settings
    assert settings.cost_aware and settings.earlier == EARLIER
    assert not problem().settings.cost_aware
