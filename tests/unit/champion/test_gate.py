from __future__ import annotations

from typing import Any

import pytest

from conf.schema.champion import Gate
from tasks.champion.gate import apply_gate
from tasks.evaluate.evaluation import Interval
from tasks.packaging.records import Decision
from tests.unit.champion.helpers import candidate, scored

SCORE = scored(candidate(), 0.95)
WORSE = ("1", Interval(value=-0.05, low=-0.08, high=-0.02))
ALIKE = ("1", Interval(value=-0.01, low=-0.03, high=0.01))


def judged(gain: tuple[str, Interval] | None = None, **rules: Any) -> Decision:
    metrics = {"accuracy": 0.95, "log_loss": 0.3}
    return apply_gate(Gate.model_validate(rules), SCORE, metrics=metrics, gain=gain)


@pytest.mark.parametrize(
    ("rules", "rule", "passed"),
    [
        pytest.param({"minimum": {"accuracy": 0.95}}, "minimum", True, id="accuracy reached"),
        pytest.param({"minimum": {"accuracy": 0.96}}, "minimum", False, id="accuracy missed"),
        pytest.param({"minimum": {"log_loss": 0.3}}, "minimum", True, id="loss low enough"),
        pytest.param({"minimum": {"log_loss": 0.2}}, "minimum", False, id="loss too high"),
        pytest.param({"class_recall": 0.95}, "class_recall", True, id="every class"),
        pytest.param({"class_recall": 0.96}, "class_recall", False, id="a class too poor"),
        pytest.param({"gain": ALIKE}, "no_loss", True, id="no loss"),
        pytest.param({"gain": WORSE}, "no_loss", False, id="a loss"),
        pytest.param({"invariance": 0.9}, "invariance", True, id="steady"),
        pytest.param({"invariance": 0.95}, "invariance", False, id="unsteady"),
        pytest.param({"latency_ms": 2.0}, "latency", True, id="fast"),
        pytest.param({"latency_ms": 1.9}, "latency", False, id="slow"),
        pytest.param({"size_mb": 0.5}, "size", True, id="small"),
        pytest.param({"size_mb": 0.4}, "size", False, id="large"),
    ],
)
def test_each_rule(rules: dict[str, Any], rule: str, passed: bool) -> None:
    decision = judged(**rules)
    (reason,) = decision.reasons
    assert (reason.rule, reason.passed) == (rule, passed)
    assert decision.verdict == ("crown" if passed else "refused")


def test_every_rule_is_told_and_one_that_fails_refuses() -> None:
    decision = judged(WORSE, minimum={"accuracy": 0.9}, size_mb=1)
    assert [reason.rule for reason in decision.reasons] == ["minimum", "no_loss", "size"]
    assert decision.verdict == "refused"
    assert "significantly worse than version 1" in decision.why


def test_a_loss_may_be_allowed() -> None:
    assert judged(WORSE, no_loss=False).verdict == "crown"


def test_without_augmentation_no_label_can_change() -> None:
    score = SCORE.model_copy(update={"invariance": None})
    assert apply_gate(Gate(invariance=1.0), score, metrics={}, gain=None).verdict == "crown"


def test_a_gate_that_asks_nothing_is_open() -> None:
    assert judged().verdict == "crown"
    assert judged().why
