"""What every strategy promises: a new one joins `STRATEGIES`, and all of this is asked of it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from conf.runtime.errors import BadInput
from tasks.suggest import Observation, Optimizer
from tasks.suggest.problem import Problem
from tasks.suggest.space.space import Space
from tasks.suggest.strategies import bayes
from tasks.suggest.types import BayesOptions
from tests.unit.suggest.results import proposed

STRATEGIES = ["bayes", "random", "grid", "sobol", "evolution", "forest", "tpe", "skopt"]
MIXED = {
    "train.lr": {"low": 1e-5, "high": 1e-1, "scale": "log"},
    "train.decay": {"low": 0.01, "high": 0.99, "scale": "logit"},
    "model.width": {"low": 16, "high": 64, "type": "int"},
    "model.drop": {"low": 0.0, "high": 0.5, "step": 0.05},
    "model.kind": {"choices": ["cnn", "mlp", None]},
    "model.depth": {
        "low": 1,
        "high": 8,
        "type": "int",
        "scale": "log",
        "when": {"model.kind": "cnn"},
    },
    "model.norm": {"choices": [True, False], "when": {"model.depth": [2, 3, 4]}},
    "train.batch": {"choices": [32, 64, 128]},
}
PLAIN = {int, float, str, bool, type(None)}
SMALL = {"m.a": {"choices": ["x", "y", "z"]}, "m.b": {"low": 1, "high": 4, "type": "int"}}


def objective(values: dict) -> float:
    """A smooth loss with a best region, cheap to compute."""
    lr = (math.log10(values["train.lr"]) + 3) ** 2
    kind = {"cnn": 0.0, "mlp": 0.5, None: 1.0}[values["model.kind"]]
    return lr + abs(values["model.width"] - 40) / 24 + kind + values.get("model.depth", 4) / 8


def played(strategy: str, rounds: int = 3, **options: object) -> Optimizer:
    """An optimizer after some rounds of four, one of which failed."""
    optimizer = Optimizer(MIXED, strategy=strategy, seed=3, **options)
    for _ in range(rounds):
        for suggestion in optimizer.ask(4):
            if suggestion.number == 5:
                optimizer.tell(5, outcome="failed", cause="oom")
            else:
                optimizer.tell(suggestion.number, objective(suggestion.values))
    return optimizer


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> str:
    return request.param


def test_numbers_follow_the_order_of_suggestions(strategy: str) -> None:
    optimizer = Optimizer(MIXED, strategy=strategy)
    numbers = [suggestion.number for _ in range(3) for suggestion in optimizer.ask(3)]
    assert numbers == list(range(9))


def test_values_are_plain_scalars_of_the_space(strategy: str) -> None:
    optimizer = played(strategy)
    for suggestion in optimizer.ask(6):
        assert all(
            type(v) in (int, float, str, bool, type(None)) for v in suggestion.values.values()
        )
        assert Space(MIXED).canonical(suggestion.values) == suggestion.values
        assert json.loads(json.dumps(suggestion.values)) == suggestion.values


def test_inactive_settings_are_absent(strategy: str) -> None:
    for suggestion in played(strategy).ask(8):
        values = suggestion.values
        assert ("model.depth" in values) == (values["model.kind"] == "cnn")
        assert ("model.norm" in values) == (values.get("model.depth") in (2, 3, 4))


def test_no_configuration_is_suggested_twice(strategy: str) -> None:
    optimizer = Optimizer(SMALL, strategy=strategy, seed=1)
    seen = []
    for turn in range(4):
        for suggestion in optimizer.ask(3):
            seen.append(json.dumps(suggestion.values, sort_keys=True))
            if turn % 2 == 0 and suggestion.number % 3:
                optimizer.tell(suggestion.number, float(suggestion.number))
    assert len(seen) == len(set(seen)) == 12


def test_an_exhausted_space_is_reported(strategy: str) -> None:
    optimizer = Optimizer(SMALL, strategy=strategy)
    first = optimizer.ask(10)
    assert len(first) == 10 and not optimizer.exhausted
    for suggestion in first:
        optimizer.tell(suggestion.number, 1.0)
    assert len(optimizer.ask(10)) == 2
    assert optimizer.exhausted
    assert optimizer.ask(1) == []


def test_json_round_trip_continues_the_same(strategy: str) -> None:
    optimizer = played(strategy)
    optimizer.ask(2)
    optimizer.enqueue({"train.lr": 0.02})
    copy = Optimizer.from_json(optimizer.to_json())
    assert copy.ask(5) == optimizer.ask(5)
    assert copy.to_json() == optimizer.to_json()


def test_order_of_results_and_of_the_space_do_not_matter(strategy: str) -> None:
    one = played(strategy)
    arguments = {"strategy": strategy, "seed": 3, "first": 12, "count": 4, "state": one._state}
    forward = proposed(MIXED, observations=one.observations, **arguments)
    shuffled = dict(reversed(MIXED.items()))
    backward = proposed(shuffled, observations=one.observations[::-1], **arguments)
    assert forward == backward
    assert forward.suggestions == tuple(one.ask(4))


SECOND = """
from tests.unit.suggest.test_contract import STRATEGIES, continued
for strategy in STRATEGIES:
    print(continued(strategy))
"""


def continued(strategy: str) -> str:
    """An optimizer that has asked twice more, as JSON."""
    optimizer = played(strategy)
    optimizer.ask(3)
    optimizer.ask(2)
    return optimizer.to_json()


def test_the_same_in_another_process_with_another_hash_seed() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    command = [sys.executable, "-c", SECOND]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [continued(strategy) for strategy in STRATEGIES]


def test_every_batch_of_a_journal_is_proposed_again_from_the_lines_before(strategy: str) -> None:
    optimizer, lines, told = Optimizer(MIXED, strategy=strategy, seed=5), [], []
    state: dict = {}
    for turn in range(6):
        first = len(optimizer._asked)
        before = (first, tuple(told), tuple(optimizer.pending), state)
        asked = optimizer.ask(3)
        state = json.loads(json.dumps(optimizer._state))
        lines.append((before, asked, state))
        for suggestion in asked[: 1 + turn % 3]:
            value = objective(suggestion.values)
            optimizer.tell(suggestion.number, value)
            told.append(Observation(suggestion.number, suggestion.values, value))
    for (first, observations, pending, carried), asked, after in lines:
        again = proposed(
            MIXED,
            strategy=strategy,
            seed=5,
            first=first,
            count=3,
            observations=observations,
            pending=pending,
            state=carried,
        )
        assert (list(again.suggestions), again.state) == (asked, after)


def test_trial_0_is_the_start_and_enqueued_configurations_follow(strategy: str) -> None:
    start = {**Space(MIXED).complete({}, None), "train.lr": 0.001}
    optimizer = Optimizer(MIXED, strategy=strategy, start=start)
    optimizer.enqueue({"train.lr": 0.05})
    first, second, third = optimizer.ask(3)
    assert (first.origin, first.values) == ("default", Space(MIXED).canonical(start))
    assert (second.origin, second.values["train.lr"]) == ("enqueued", 0.05)
    assert second.values["model.width"] == start["model.width"]
    assert third.origin not in ("default", "enqueued")


def test_an_enqueued_configuration_that_was_tried_is_dropped(strategy: str) -> None:
    optimizer = Optimizer(SMALL, strategy=strategy)
    tried = optimizer.ask(1)[0]
    optimizer.enqueue(tried.values)
    assert optimizer.ask(2)[0].origin != "enqueued"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None], ids=str)
def test_missing_and_non_finite_values_are_failures(strategy: str, bad: float | None) -> None:
    optimizer = played(strategy)
    for suggestion in optimizer.ask(4):
        optimizer.tell(suggestion.number, bad)
    assert {o.cause for o in optimizer.observations[-4:]} == {"nan"}
    assert len(optimizer.ask(4)) == 4


def test_all_trials_failed(strategy: str) -> None:
    optimizer = Optimizer(MIXED, strategy=strategy)
    for _ in range(5):
        for suggestion in optimizer.ask(4):
            optimizer.tell(suggestion.number, outcome="failed", cause="error")
    assert len(optimizer.ask(4)) == 4


@pytest.mark.parametrize("value", [0.0, -3.5, 1e300], ids=str)
def test_a_constant_objective(strategy: str, value: float) -> None:
    optimizer = Optimizer(MIXED, strategy=strategy)
    for _ in range(4):
        for suggestion in optimizer.ask(4):
            optimizer.tell(suggestion.number, value)
    assert len(optimizer.ask(4)) == 4


def test_results_of_an_older_space_are_ignored(strategy: str) -> None:
    old = [Observation(n, {"gone": n, "train.lr": 0.1}, float(n)) for n in range(4)]
    proposal = proposed(SMALL, strategy=strategy, first=4, count=12, observations=old)
    assert len(proposal.suggestions) == 12


def test_maximise_is_minimise_of_the_negative(strategy: str) -> None:
    values = [s.values for s in Optimizer(MIXED, seed=2).ask(12)]
    up = [Observation(n, v, -objective(v)) for n, v in enumerate(values)]
    down = [Observation(n, v, objective(v)) for n, v in enumerate(values)]
    same = {"strategy": strategy, "first": 12, "count": 4}
    rising = proposed(MIXED, direction="maximize", observations=up, **same)
    falling = proposed(MIXED, direction="minimize", observations=down, **same)
    assert rising == falling


def failures_near_the_optimum() -> int:
    """Of the last 16 of 40 trials, how many failed: the loss falls on beyond what memory holds."""
    space = {"m.width": {"low": 0.0, "high": 1.0}, "m.rate": {"low": 0.0, "high": 1.0}}
    optimizer = Optimizer(space, seed=1)
    for _ in range(10):
        for suggestion in optimizer.ask(4):
            width, rate = suggestion.values["m.width"], suggestion.values["m.rate"]
            if width > 0.5:
                optimizer.tell(suggestion.number, outcome="failed", cause="oom")
            else:
                optimizer.tell(suggestion.number, (rate - 0.3) ** 2 - width)
    assert min(o.value for o in optimizer.observations if o.scored) < -0.45
    return sum(not o.scored for o in optimizer.observations[-16:])


def test_regions_of_failed_trials_are_avoided(monkeypatch: pytest.MonkeyPatch) -> None:
    careful = failures_near_the_optimum()
    monkeypatch.setattr(bayes, "OPTIONS", BayesOptions(feasibility=False))
    careless = failures_near_the_optimum()
    assert careful <= 8 < careless


def test_infrastructure_failures_do_not_count_against_a_configuration() -> None:
    values = [s.values for s in Optimizer(MIXED, seed=2).ask(12)]
    fine = [Observation(n, v, objective(v)) for n, v in enumerate(values)]
    lost = [*fine[:-1], Observation(11, values[11], None, "failed", "infrastructure")]
    bad = [*fine[:-1], Observation(11, values[11], None, "failed", "oom")]
    assert "failures" not in proposed(MIXED, first=12, count=1, observations=lost).state
    assert "failures" in proposed(MIXED, first=12, count=1, observations=bad).state


def test_pending_trials_push_the_next_ones_away() -> None:
    space = {"m.x": {"low": 0.0, "high": 1.0}}
    told = [Observation(n, {"m.x": n / 8}, (n / 8 - 0.4) ** 2) for n in range(9)]
    alone = proposed(space, first=9, count=1, observations=told).suggestions[0]
    pending = [(8 + n, {"m.x": alone.values["m.x"] + shift}) for n, shift in ((1, 0.0), (2, 1e-3))]
    beside = proposed(space, first=9, count=1, observations=told, pending=pending).suggestions[0]
    assert abs(beside.values["m.x"] - alone.values["m.x"]) > 1e-3


def test_a_thousand_observations_cost_little_and_leave_a_small_state(strategy: str) -> None:
    rows = Space(MIXED).snap(np.random.default_rng(0).random((1_000, len(MIXED))))
    values = [Space(MIXED).decode(row) for row in rows]
    told = [Observation(n, v, objective(v), seconds=1.0) for n, v in enumerate(values)]
    before = time.process_time()
    proposal = proposed(MIXED, strategy=strategy, first=1_000, count=4, observations=told)
    again = proposed(
        MIXED, strategy=strategy, first=1_004, count=1, observations=told,
        pending=[(s.number, s.values) for s in proposal.suggestions], state=proposal.state,
    )  # fmt: skip
    assert time.process_time() - before < 20.0  # seconds here, of a hundred that a refit a pick is
    assert len(json.dumps(again.state)) < 20_000


def test_values_at_a_rung_are_shifted_by_the_median_later_gain() -> None:
    at = {n: {"m.x": n / 10} for n in range(3)}
    told = [
        Observation(0, at[0], 0.5, "paused", rung=3),
        Observation(1, at[1], 0.4, "paused", rung=3),
        Observation(1, at[1], 0.1),
        Observation(2, at[2], 0.7, "paused", rung=3),
        Observation(2, at[2], 0.7, "stopped"),
    ]
    problem = Problem.of({"m.x": {"low": 0.0, "high": 1.0}}, first=3, observations=told)
    assert problem.losses(problem.observations) == pytest.approx({0: 0.2, 1: 0.1, 2: 0.4})


def test_a_rung_keeps_the_trial_pending(strategy: str) -> None:
    optimizer = Optimizer(MIXED, strategy=strategy)
    optimizer.ask(2)
    optimizer.tell(0, 0.5, rung=3)
    assert [number for number, _ in optimizer.pending] == [0, 1]
    optimizer.tell(0, 0.4)
    assert [number for number, _ in optimizer.pending] == [1]


def test_the_model_beats_chance() -> None:
    best = {}
    for strategy in ("bayes", "random"):
        optimizer = played(strategy, rounds=10)
        best[strategy] = min(o.value for o in optimizer.observations if o.scored)
    assert best["bayes"] < best["random"]


def test_result_is_scikit_optimizes() -> None:
    optimizer = played("bayes")
    result = optimizer.result()
    assert result.fun == min(o.value for o in optimizer.observations if o.scored)
    assert len(result.x_iters) == len(result.func_vals) == 11
    assert all(point in result.space for point in result.x_iters)


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({}, "empty"),
        ({"a": {"low": 2, "high": 1}}, "above high"),
        ({"a": {"low": 0, "high": 1, "scale": "log"}}, "low > 0"),
        ({"a": {"low": 0, "high": 1, "colour": 1}}, "colour"),
        ({"a": {"low": 0, "high": 1, "when": {"b": 1}}}, "not searched"),
        ({"a": {"choices": [1], "when": {"b": 3}}, "b": {"choices": [1, 2]}}, "not one of"),
        (
            {"a": {"choices": [1], "when": {"b": 1}}, "b": {"choices": [1], "when": {"a": 1}}},
            "cycle",
        ),
    ],
    ids=["empty", "swapped", "log of zero", "unknown", "no parent", "never", "cycle"],
)
def test_an_invalid_space_is_bad_input(space: dict, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        Optimizer(space)


def test_an_empty_space_has_trial_0_only() -> None:
    found = proposed({}, first=0, count=2, start={})
    assert [(each.number, each.values) for each in found.suggestions] == [(0, {})]
    assert found.exhausted and not proposed({}, first=1, count=1, start={}).suggestions


def test_misuse_is_bad_input() -> None:
    optimizer = Optimizer(SMALL)
    with pytest.raises(BadInput, match="no such trial"):
        optimizer.tell(0, 1.0)
    optimizer.ask(1)
    optimizer.tell(0, 1.0)
    with pytest.raises(BadInput, match="ended already"):
        optimizer.tell(0, 1.0)
    with pytest.raises(BadInput, match=r"m\.b"):
        optimizer.enqueue({"m.b": 9})
    with pytest.raises(BadInput, match="strategy"):
        Optimizer(SMALL, strategy="magic").ask(1)
