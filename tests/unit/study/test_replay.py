"""What each event makes of the state, and which events it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.runtime.errors import BadInput
from conf.schema.search import Rungs
from tasks.study.events import Event
from tasks.study.replay import apply, fold
from tasks.study.state import State
from tests.unit.study.examples import (
    asked,
    attempt,
    complete,
    enqueued,
    failed,
    folded,
    interrupted,
    paused,
    promoted,
    stopped,
    target,
)
from tests.unit.study.simulation import World, a_study, many_deaths, run, troubles


def check(state: State) -> None:
    """What holds of every state."""
    trials = list(state.trials)
    assert [trial.number for trial in trials] == list(range(state.asked))
    by_status = {s: [t for t in trials if t.status == s] for s in ("queued", "running", "paused")}
    assert sorted(state.ready) == sorted((-t.rung, t.number) for t in by_status["queued"])
    assert list(state.running) == [t.number for t in by_status["running"]]
    waiting = sorted(n for rung in state.rungs.values() for _, n in rung.waiting)
    assert waiting == [t.number for t in by_status["paused"]]
    assert sum(state.counts.values()) == len(trials)
    assert all(state.count(t.status) > 0 for t in trials)
    ranked = sorted(key for t in trials if (key := t.rank(state.sign)) is not None)
    assert list(state.ranked) == ranked


@pytest.fixture(scope="module")
def journal() -> list[Event]:
    """A long journal with rungs, deaths and failures in it."""
    study = a_study(30, epochs=9, rungs=Rungs(brackets=2), batch_size=4)
    world = World(study, seed=5, deaths=many_deaths(5, 4, gap=40), fails=troubles)
    run(world, slots=3)
    return world.lines()


def test_every_prefix_of_a_journal_is_a_state(journal: list[Event]) -> None:
    state = State("maximize")
    for count, event in enumerate(journal):
        assert fold(journal[:count], "maximize") == state
        check(state)
        state = apply(state, event)
    check(state)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_an_event_in_another_place_fits_or_is_refused(
    journal: list[Event], data: st.DataObject
) -> None:
    order = data.draw(st.lists(st.integers(0, len(journal) - 1), max_size=30))
    start = data.draw(st.integers(0, len(journal)))
    state = fold(journal[:start], "maximize")
    for index in order:
        before = state
        try:
            state = apply(state, journal[index])
        except BadInput:
            assert state is before
    check(state)


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([asked(1, 2)], id="a number is left out"),
        pytest.param([asked(0, 2), asked(1, 2, batch=1)], id="a number is asked again"),
        pytest.param([asked(0, 2), asked(2, 2)], id="a batch number is used again"),
        pytest.param([asked(0, 1), attempt(1)], id="a trial that was never asked"),
        pytest.param([asked(0, 1), attempt(0), attempt(0, 2)], id="an attempt while one runs"),
        pytest.param([asked(0, 1), attempt(0, 2)], id="a second attempt before the first"),
        pytest.param([asked(0, 1), complete(0, 0.5)], id="an end without a start"),
        pytest.param([asked(0, 1), attempt(0), complete(0, 0.5, 2)], id="another attempt's end"),
        pytest.param(
            [asked(0, 1), attempt(0), complete(0, 0.5), attempt(0, 2)], id="a start after the end"
        ),
        pytest.param([asked(0, 1), attempt(0), paused(0, 9, 0.5)[1]], id="a pause unreported"),
        pytest.param([asked(0, 1), promoted(0, 9)], id="a promotion of what is not paused"),
        pytest.param([asked(0, 1), attempt(0), stopped("user")], id="a stop while a trial runs"),
        pytest.param([target(9), target(12)], id="a target raised twice by one run"),
        pytest.param([enqueued("a"), enqueued("a")], id="a request taken twice"),
    ],
)
def test_what_cannot_follow_is_refused(events: list[Event]) -> None:
    state = folded(*events[:-1])
    with pytest.raises(BadInput):
        apply(state, events[-1])


@pytest.mark.parametrize(
    ("cause", "attempts"),
    [("nan", 1), ("error", 1), ("timeout", 1), ("infrastructure", 2), ("killed", 2), ("oom", 4)],
)
def test_a_trial_is_tried_again_as_often_as_its_cause_allows(cause: str, attempts: int) -> None:
    state = folded(asked(0, 1))
    for number in range(1, attempts + 1):
        assert state.trials[0].status == "queued"
        state = apply(state, attempt(0, number))
        state = apply(state, failed(0, cause, number))
    assert state.trials[0].status == "failed"
    assert state.trials[0].cause == cause
    assert state.trials[0].halvings == (3 if cause == "oom" else 0)


def test_memory_that_ran_out_on_a_shared_gpu_asks_for_room_first() -> None:
    shared = attempt(0).model_copy(update={"share": 4})
    state = folded(asked(0, 1), shared, failed(0, "oom", 1))
    trial = state.trials[0]
    assert (trial.status, trial.alone, trial.halvings) == ("queued", True, 0)
    state = apply(apply(state, attempt(0, 2)), failed(0, "oom", 2))
    assert (state.trials[0].alone, state.trials[0].halvings) == (True, 1)


def test_a_new_epoch_renews_the_budget_for_kills() -> None:
    state = folded(asked(0, 1))
    for number, epochs in enumerate([0, 1, 2, 2, 3, 3], start=1):
        state = apply(state, attempt(0, number))
        state = apply(state, failed(0, "killed", number, epochs))
        assert state.trials[0].status == "queued", epochs
    state = apply(state, attempt(0, 7))
    assert apply(state, failed(0, "killed", 7, 3)).trials[0].status == "failed"


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        pytest.param([("driver", 0)] * 4, "queued", id="four deaths"),
        pytest.param([("driver", 0)] * 5, "failed", id="five deaths"),
        pytest.param([("user", 0)] * 9, "queued", id="a user's stops"),
        pytest.param([("driver", 0)] * 4 + [("user", 0), ("driver", 0)], "queued", id="not in row"),
        pytest.param([("driver", n) for n in range(1, 9)], "queued", id="with new epochs"),
        pytest.param([("driver", 2)] * 6, "failed", id="without a further epoch"),
    ],
)
def test_a_fifth_death_of_the_driver_in_a_row_fails_a_trial(
    ends: list[tuple[str, int]], status: str
) -> None:
    state = folded(asked(0, 1))
    for number, (by, epochs) in enumerate(ends, start=1):
        state = apply(state, attempt(0, number))
        state = apply(state, interrupted(0, by, number, epochs))
    assert state.trials[0].status == status
    assert (state.trials[0].cause == "driver") == (status == "failed")


def test_a_checkpoint_of_a_later_epoch_renews_the_budget_too() -> None:
    lines: list[Event] = [asked(0, 1), attempt(0), failed(0, "killed")]
    state = folded(*lines, attempt(0, 2, epoch=1), failed(0, "killed", 2, epochs=1))
    assert state.trials[0].status == "queued"


def test_the_best_is_of_the_highest_rung_and_of_the_lower_number() -> None:
    state = folded(asked(0, 4))
    for number, value in [(0, 0.9), (1, 0.5), (2, 0.7), (3, 0.5)]:
        state = apply(state, attempt(number, until=3))
        for event in paused(number, 3, value):
            state = apply(state, event)
    assert state.best is not None and state.best.number == 0
    for number, value in [(3, 0.6), (1, 0.6)]:
        for event in (promoted(number, 9), attempt(number, 2), complete(number, value, 2)):
            state = apply(state, event)
    assert [number for _, _, number in state.ranked] == [1, 3, 0, 2]


def test_a_best_that_fails_later_is_best_no_more() -> None:
    pauses = [*paused(0, 3, 0.9), attempt(1, until=3), *paused(1, 3, 0.5)]
    state = folded(asked(0, 2), attempt(0, until=3), *pauses, promoted(0, 9), attempt(0, 2))
    assert state.best is not None and state.best.number == 0
    after = apply(state, failed(0, "nan", 2))
    assert after.best is not None and after.best.number == 1


def test_a_loss_is_best_when_smallest() -> None:
    lines = [asked(0, 2), attempt(0), attempt(1), complete(0, 0.9), complete(1, 0.2)]
    best = fold(lines, "minimize").best
    assert best is not None and best.number == 1


def test_enqueued_configurations_are_taken_in_order_and_once() -> None:
    ask = asked(0, 2)
    idea = ask.suggestions[0].model_copy(update={"origin": "enqueued"})
    ask = ask.model_copy(update={"suggestions": (idea, ask.suggestions[1]), "dropped": 1})
    state = folded(enqueued("a"), enqueued("b"), enqueued("c"), ask)
    assert [request.key for request in state.enqueued] == ["c"]


def test_seconds_are_summed_over_attempts() -> None:
    state = folded(asked(0, 1), attempt(0), failed(0, "killed").model_copy(update={"seconds": 2.5}))
    state = apply(apply(state, attempt(0, 2)), complete(0, 0.5, 2))
    assert state.trials[0].seconds == 5.5
    assert state.trials[0].cause is None
