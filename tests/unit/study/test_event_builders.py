"""Lines made from what happened, and what a suggestion is told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from conf.schema.evaluate import Evaluate
from tasks.study.event_builders import asked_event, end_events, enqueued, observations, pending
from tasks.study.events import Asked, Event, Finished, Interrupted, Reported
from tasks.study.replay import apply, fold
from tasks.study.state import State
from tasks.suggest.problem import Problem
from tasks.suggest.propose import propose
from tasks.suggest.types import Observation
from tasks.train.engine.outcome import Outcome
from tests.unit.study import examples
from tests.unit.study.examples import asked, attempt, complete, failed, folded, paused, promoted
from tests.unit.study.simulation import World, a_study, many_deaths, run, troubles

SPACE = {
    "train.lr": {"low": 1e-4, "high": 1.0, "scale": "log"},
    "train.batch_size": {"choices": [32, 64, 128]},
}
START = {"train.lr": 1e-3, "train.batch_size": 64}


def test_an_end_is_a_line_with_what_the_attempt_told() -> None:
    state = folded(asked(0, 1), attempt(0))
    outcome = Outcome("failed", "nan", None, 2.5, 3, "the loss is no number")
    assert end_events(state, 0, outcome, 9.0) == (
        Finished(
            number=0,
            attempt=1,
            outcome="failed",
            cause="nan",
            seconds=2.5,
            epochs=3,
            message="the loss is no number",
            time=9.0,
        ),
    )


@pytest.mark.parametrize("by", ["user", "driver"])
def test_an_interruption_is_no_outcome(by: str) -> None:
    state = folded(asked(0, 1), attempt(0))
    (line,) = end_events(state, 0, Outcome("interrupted", by, None, 2.5, 3), 9.0)  # type: ignore[arg-type]
    assert isinstance(line, Interrupted)
    assert (line.by, line.seconds, line.epochs) == (by, 2.5, 3)


def test_a_pause_is_reported_first_and_once() -> None:
    state = folded(asked(0, 1), attempt(0, until=3))
    outcome = Outcome("paused", None, 0.5, 2.5, 3)
    report, finished = end_events(state, 0, outcome, 9.0)
    assert report == Reported(number=0, rung=3, value=0.5, time=9.0)
    assert end_events(apply(state, report), 0, outcome, 9.0) == (finished,), "after a death between"


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
@pytest.mark.parametrize("outcome", ["complete", "paused"])
def test_an_end_without_an_objective_is_no_success(outcome: str, value: float | None) -> None:
    state = folded(asked(0, 1), attempt(0, until=3))
    (line,) = end_events(state, 0, Outcome(outcome, None, value, 2.5, 3), 9.0)  # type: ignore[arg-type]
    assert isinstance(line, Finished)
    assert (line.outcome, line.cause, line.value) == ("failed", "nan", None)


def test_what_is_known_and_what_is_on_its_way() -> None:
    state = folded(
        examples.enqueued("a"),
        asked(0, 5),
        *(attempt(n, until=3) for n in range(4)),
        *paused(3, 3, 0.3),
        promoted(3, 9),
        complete(0, 0.5),
        failed(1, "nan"),
    )
    told = [(o.number, o.outcome, o.value, o.rung, o.cause) for o in observations(state)]
    assert told == [
        (0, "complete", 0.5, None, None),
        (1, "failed", None, None, "nan"),
        (3, "paused", 0.3, 3, None),
    ]
    assert [number for number, _ in pending(state)] == [2, 3, 4]
    assert enqueued(state) == [{"train.lr": 0.5}]


def suggested(state: State, count: int) -> Asked:
    """A batch from the real suggestion step."""
    problem = Problem.of(
        SPACE,
        first=state.asked,
        direction="maximize",
        seed=3,
        observations=observations(state),
        pending=pending(state),
        start=START,
        state=state.memory,
    )
    proposal = propose(problem, count, strategy="random", enqueued=enqueued(state))
    return asked_event(state, proposal, lambda values: json.dumps(dict(values)), 0.0)


def test_every_asked_line_is_proposed_again_from_the_lines_before_it() -> None:
    world = World(a_study(60, batch_size=4), 2, many_deaths(2, 4), troubles)
    run(world, slots=3, propose=suggested)
    lines = world.lines()
    batches = [index for index, line in enumerate(lines) if isinstance(line, Asked)]
    assert len(batches) == 15
    for index in batches:
        line = lines[index]
        assert isinstance(line, Asked)
        assert suggested(fold(lines[:index], "maximize"), len(line.suggestions)) == line


def test_an_idea_is_asked_once_and_one_that_was_tried_is_dropped() -> None:
    tried = {"train.lr": 1e-3, "train.batch_size": 64}
    ideas = [
        examples.enqueued(key).model_copy(update={"values": values})
        for key, values in [("a", tried), ("b", {"train.lr": 0.25})]
    ]
    lines: list[Event] = [suggested(folded(), 1), *ideas]
    state = folded(*lines)
    line = suggested(state, 2)
    assert line.dropped == 1
    assert [s.origin for s in line.suggestions] == ["enqueued", "random"]
    assert line.suggestions[0].values == {"train.lr": 0.25, "train.batch_size": 64}
    assert apply(state, line).enqueued == ()


def test_the_record_keeps_a_forecast_without_its_seconds() -> None:
    values = [{"train.lr": 10.0**-n, "train.batch_size": 64} for n in range(1, 5)]
    told = [Observation(n, v, 0.5 + n / 10, seconds=3.0) for n, v in enumerate(values * 3)]
    proposal = propose(Problem.of(SPACE, first=12, observations=told), 2)
    assert proposal.forecast is not None and proposal.forecast.seconds == 6.0
    state = folded(asked(0, 12))
    line = asked_event(state, proposal, lambda values: "0", 1.0)
    assert line.model_dump()["forecast"] == {
        "gain": proposal.forecast.gain,
        "regret": proposal.forecast.regret,
    }
    assert apply(state, line).forecasts == (line.forecast,)
    unknown = replace(proposal, forecast=replace(proposal.forecast, regret=float("inf")))
    assert asked_event(state, unknown, lambda values: "0", 1.0).forecast is None


def test_the_seconds_of_all_attempts_add_up() -> None:
    lines = [asked(0, 2), attempt(0), complete(0, 0.5), attempt(1), failed(1, "killed")]
    assert folded(*lines).seconds == 3.0
    assert folded(*lines, attempt(1, 2), complete(1, 0.5, 2)).seconds == 6.0


LIMITED = Evaluate(
    also=("latency_ms",), constraints=("latency_ms <= 20", "f1_macro >= 0.4", "accuracy >= 0.5")
)


@pytest.mark.parametrize(
    ("value", "measures", "broken"),
    [
        (0.6, {"latency_ms": 20.0, "f1_macro": 0.4, "params": 9.0}, ()),
        (0.6, {"latency_ms": 20.1, "f1_macro": 0.5}, ("latency_ms <= 20",)),
        (0.4, {"latency_ms": 1.0, "f1_macro": 0.1}, ("f1_macro >= 0.4", "accuracy >= 0.5")),
        (0.6, {"f1_macro": 0.5}, ("latency_ms <= 20",)),
    ],
    ids=["kept", "too slow", "two", "not measured"],
)
def test_an_end_says_what_is_measured_and_which_constraints_it_breaks(
    value: float, measures: dict[str, float], broken: tuple[str, ...]
) -> None:
    state = folded(asked(0, 1), attempt(0))
    outcome = Outcome("complete", None, value, 2.5, 9, measures=measures)
    (line,) = end_events(state, 0, outcome, 9.0, LIMITED)
    assert isinstance(line, Finished)
    assert line.broken == broken
    assert line.measures == {name: v for name, v in measures.items() if name != "params"}
    (plain,) = end_events(state, 0, outcome, 9.0)
    assert isinstance(plain, Finished) and (plain.measures, plain.broken) == ({}, ())


def test_what_breaks_a_constraint_is_never_best_and_told_as_a_failure() -> None:
    state = folded(asked(0, 3), *map(attempt, range(3)), complete(1, 0.6))
    for number, latency, value in ((0, 30.0, 0.9), (2, 3.0, 0.7)):
        measures = {"latency_ms": latency, "f1_macro": 0.5}
        end = Outcome("complete", None, value, 2.5, 9, measures=measures)
        state = apply(state, *end_events(state, number, end, 9.0, LIMITED))
    assert state.best is not None and state.best.number == 2
    assert [key[2] for key in state.ranked] == [2, 1]
    slow, _, fast = observations(state)
    assert (slow.outcome, slow.cause, slow.value, slow.infeasible) == (
        "failed", "constraint", None, True,
    )  # fmt: skip
    assert fast.measures["latency_ms"] == 3.0
