"""Several objectives and what outcomes have to keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.loading.load import load_study
from conf.runtime.errors import BadConfig
from conf.schema.evaluate import direction_of


def test_a_list_of_objectives_is_the_objective_and_also() -> None:
    evaluate = load_study("digits", ["evaluate.objective=[f1_macro, latency_ms, params]"]).evaluate
    assert (evaluate.objective, evaluate.also) == ("f1_macro", ("latency_ms", "params"))
    assert [direction_of(name) for name in ("f1_macro", "latency_ms", "log_loss")] == [
        "maximize", "minimize", "minimize",
    ]  # fmt: skip


def test_a_single_objective_replaces_several_of_the_parent(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("extends: digits\nevaluate: {objective: [accuracy, params]}\n")
    several = load_study(str(file), allow_path=True)
    alone = load_study(str(file), ["evaluate.objective=f1_macro"], allow_path=True)
    assert several.evaluate.also == ("params",)
    assert (alone.evaluate.objective, alone.evaluate.also) == ("f1_macro", ())


def test_constraints_are_parsed() -> None:
    given = ["evaluate.constraints=['latency_ms<=2e1', 'accuracy >= .5']"]
    evaluate = load_study("digits", given).evaluate
    slow, good = evaluate.limits
    assert (slow.name, slow.value, slow.satisfied(20.0), slow.satisfied(20.5)) == (
        "latency_ms",
        20,
        True,
        False,
    )
    assert (good.name, good.satisfied(0.5), good.satisfied(0.4)) == ("accuracy", True, False)
    assert slow.satisfied(20.0 + 4e-15) and good.satisfied(0.8 - 0.3)
    assert not slow.satisfied(20.0001)
    assert evaluate.needed == ("latency_ms",)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["evaluate.objective=[accuracy, accuracy]"], "named twice"),
        (["evaluate.objective=[accuracy, log_loss]"], "add it to evaluate.metrics"),
        (["evaluate.objective=[]"], "is not one of"),
        (["evaluate.objective=[latency_ms, accuracy]"], "latency_ms is not one of"),
        (["evaluate.constraints=['latency_ms < 20']"], "write it like latency_ms <= 20"),
        (["evaluate.constraints=['latency_ms <= quick']"], "is no constraint"),
        (["evaluate.constraints=['latency <= 20']"], "'latency' is not measured"),
        (["evaluate.objective=[accuracy, params]", "search.rungs.first=2"], "drop search.rungs"),
        (["evaluate.objective=[accuracy, params]", "stop.regret=0.01"], "a single objective"),
        (["search.strategy=random", "stop.regret=0.01"], "needs strategy bayes"),
        (["search.strategy=random", "search.cost_aware=true"], "goes with strategy bayes"),
        (["search.skopt.estimator=ET"], "goes with strategy skopt"),
        (["search.strategy=skopt", "search.skopt.lie=cl_best"], "cl_min"),
        (["stop.money=3"], "cost_per_gpu_hour"),
    ],
    ids=lambda given: given[-1] if isinstance(given, list) else None,
)
def test_invalid_objectives_are_refused(overrides: list[str], sentence: str) -> None:
    with pytest.raises(BadConfig, match=sentence):
        load_study("digits", overrides)
