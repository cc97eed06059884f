"""What a study asks of its search reaches the suggestion step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conf.loading.load import load_study
from flows.study.tasks import suggest
from tasks.study.state import State
from tasks.suggest.problem import Problem
from tasks.suggest.types import EarlierTrial, Proposal

EARLIER = (EarlierTrial("before", {"train.lr": 0.0123}, 0.1),)


def asked(*overrides: str, earlier: tuple[EarlierTrial, ...] = ()) -> dict[str, Any]:
    """The arguments of the suggestion step of a study that has just begun."""
    study = load_study("digits", overrides)
    session: Any = SimpleNamespace(
        study=study, state=State(study.evaluate.direction), earlier=earlier, start_values=dict
    )
    seen: list[Problem] = []

    def propose(problem: Problem, count: int, **given: Any) -> Proposal:
        seen.append(problem)
        return Proposal((), {})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.study.tasks.propose", propose)
        suggest.fn(session, 3)
    return seen[0]


def test_several_objectives_go_with_their_directions() -> None:
    overrides = [
        "evaluate.metrics=[accuracy, f1_macro, log_loss]",
        "evaluate.objective=[log_loss, f1_macro, latency_ms]",
    ]
    given = asked(*overrides)
    assert given.direction == "minimize"
    assert given.settings.also == (("f1_macro", "maximize"), ("latency_ms", "minimize"))


def test_cost_and_earlier_studies_go_along() -> None:
    settings = asked("search.cost_aware=true", earlier=EARLIER).settings
    assert settings.cost_aware and settings.earlier == EARLIER
    assert not asked().settings.cost_aware
