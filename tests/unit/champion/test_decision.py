from __future__ import annotations

from typing import Any

import pytest

from conf.schema.evaluate import Evaluate
from conf.schema.study import TrialConfig
from tasks.champion.decision import decide
from tests.unit.champion.helpers import candidate, incumbent

LOSS = TrialConfig(evaluate=Evaluate(objective="log_loss", metrics=("log_loss",)))


def test_the_first_candidate_is_crowned() -> None:
    assert decide(candidate(), None).verdict == "crown"


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict", "rule"),
    [
        pytest.param({}, {}, "crown", "better", id="new and better"),
        pytest.param({}, {"value": 0.98}, "keep", "better", id="a tie keeps the incumbent"),
        pytest.param({}, {"value": 0.99}, "keep", "better", id="worse"),
        pytest.param({}, {"digest": "a" * 64, "value": 0.1}, "unchanged", "new", id="itself"),
        pytest.param(
            {}, {"digest": "a" * 64, "data": "e" * 64}, "keep", "comparable", id="other data"
        ),
        pytest.param({}, {"objective": "f1_macro"}, "keep", "comparable", id="other objective"),
        pytest.param(
            {"config": LOSS, "value": 0.1},
            {"objective": "log_loss", "value": 0.2},
            "crown",
            "better",
            id="less is better",
        ),
        pytest.param(
            {"config": LOSS, "value": 0.3},
            {"objective": "log_loss", "value": 0.2},
            "keep",
            "better",
            id="more is worse",
        ),
    ],
)
def test_verdicts(ours: dict[str, Any], theirs: dict[str, Any], verdict: str, rule: str) -> None:
    decision = decide(candidate(**ours), incumbent(**theirs))
    assert decision.verdict == verdict
    assert decision.reasons[-1].rule == rule
    assert decision.reasons[-1].passed == (verdict == "crown")
    assert decision.why == decision.reasons[-1].why


def test_what_a_person_rolled_back_stays_back() -> None:
    decision = decide(candidate(), incumbent(), withdrawn="2")
    assert decision.verdict == "keep"
    assert "version 2" in decision.why and "dense promote" in decision.why
