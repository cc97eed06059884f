"""What is done next, state by state."""

from __future__ import annotations

from collections import Counter

import pytest

from conf.schema.run import Resources, StoppingCriteria
from conf.schema.search import Rungs
from conf.schema.study import Study
from tasks.study.events import Event
from tasks.study.policy import (
    Action,
    Ask,
    Promote,
    Start,
    Stop,
    Wait,
    decide,
    raised_target,
    rung_epochs,
    target_trials,
)
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
from tests.unit.study.simulation import a_study

SYNCHRONOUS = {"batch_size": 2, "synchronous": True}
RUNGS = Rungs(first=3)


def stop_at(study: Study, **limits: object) -> Study:
    """The study with limits."""
    return study.model_copy(update={"stop": StoppingCriteria(**limits)})


def after(study: Study, *events: Event, slots: int = 2, now: float = 0.0, **more: bool) -> Action:
    """What is decided after some events, `now` seconds into the run."""
    return decide(folded(*events), study, slots=slots, now=now, started=0.0, **more)


@pytest.mark.parametrize(
    ("events", "action"),
    [
        pytest.param([], Ask(2), id="nothing asked yet"),
        pytest.param([asked(0, 2)], Start(0, 1, 9, 0), id="the lowest number first"),
        pytest.param([asked(0, 2), attempt(0)], Start(1, 1, 9, 0), id="a second slot"),
        pytest.param([asked(0, 3), attempt(0), attempt(1)], Wait(), id="no slot"),
        pytest.param(
            [asked(0, 2), attempt(0), attempt(1), complete(0, 0.5)],
            Ask(2),
            id="a slow trial holds nothing up",
        ),
        pytest.param(
            [asked(0, 3), attempt(0), attempt(1), failed(0, "killed")],
            Start(0, 2, 9, 0),
            id="tried again in number order",
        ),
        pytest.param(
            [asked(0, 1), attempt(0), failed(0, "oom")], Start(0, 2, 9, 1), id="less memory"
        ),
        pytest.param(
            [asked(0, 1), attempt(0), interrupted(0, "user")], Start(0, 2, 9, 0), id="continued"
        ),
        pytest.param([asked(0, 4), *map(attempt, (0, 1))], Wait(), id="no slot for the queue"),
    ],
)
def test_steady_mode(events: list[Event], action: Action) -> None:
    assert after(a_study(5, epochs=9, batch_size=2), *events) == action


@pytest.mark.parametrize(
    ("events", "action"),
    [
        pytest.param([asked(0, 2), attempt(0), complete(0, 0.5)], Start(1, 1, 9, 0), id="queue"),
        pytest.param(
            [asked(0, 2), attempt(0), attempt(1), complete(0, 0.5)], Wait(), id="batch not ended"
        ),
        pytest.param(
            [asked(0, 2), attempt(0), attempt(1), complete(0, 0.5), complete(1, 0.4)],
            Ask(2),
            id="batch ended",
        ),
    ],
)
def test_synchronous_mode(events: list[Event], action: Action) -> None:
    assert after(a_study(5, epochs=9, **SYNCHRONOUS), *events) == action


ONE_DONE = [asked(0, 1), attempt(0), complete(0, 0.5)]


def test_the_last_batch_is_as_large_as_what_is_left() -> None:
    assert after(a_study(3, batch_size=2), asked(0, 2), attempt(0), complete(0, 0.5)) == Start(
        1, 1, 4, 0
    )
    done = [asked(0, 2), attempt(0), complete(0, 0.5), attempt(1), complete(1, 0.5)]
    assert after(a_study(3, batch_size=2), *done) == Ask(1)


def test_a_batch_is_as_large_as_there_are_slots_unless_told() -> None:
    assert after(a_study(99), slots=7) == Ask(7)


@pytest.mark.parametrize("synchronous", [False, True], ids=["steady", "synchronous"])
@pytest.mark.parametrize(
    ("limits", "events", "reason"),
    [
        pytest.param({}, [asked(0, 5), *map(attempt, range(5))], None, id="all run"),
        pytest.param({"target": 0.5}, ONE_DONE, "target", id="target reached"),
        pytest.param({"target": 0.6}, ONE_DONE, None, id="target not reached"),
        pytest.param(
            {"plateau": 2},
            [
                asked(0, 4),
                *map(attempt, range(4)),
                *(complete(n, v) for n, v in enumerate([0.4, 0.5, 0.5, 0.1])),
            ],
            "plateau",
            id="an equal one is no better one",
        ),
        pytest.param(
            {"failures": 2},
            [asked(0, 2), *map(attempt, range(2)), failed(0, "error"), failed(1, "nan")],
            "failures",
            id="everything fails",
        ),
        pytest.param(
            {"failures": 2},
            [
                *ONE_DONE,
                asked(1, 2, batch=1),
                *map(attempt, (1, 2)),
                failed(1, "error"),
                failed(2, "nan"),
            ],
            None,
            id="not everything fails",
        ),
        pytest.param({"failures": 1}, [asked(0, 1, exhausted=True)], None, id="queue left"),
        pytest.param(
            {},
            [asked(0, 1, exhausted=True), attempt(0), complete(0, 0.5)],
            "exhausted",
            id="no other configuration",
        ),
    ],
)
def test_goals(
    synchronous: bool, limits: dict[str, float], events: list[Event], reason: str | None
) -> None:
    study = stop_at(a_study(5, batch_size=1, synchronous=synchronous), **limits)
    action = after(study, *events, slots=9)
    assert action == Stop(reason) if reason else not isinstance(action, Stop)


def test_a_goal_waits_for_what_runs_and_leaves_the_queue() -> None:
    study = stop_at(a_study(9), target=0.5)
    lines = [asked(0, 4), attempt(0), attempt(1), complete(0, 0.9)]
    assert after(study, *lines) == Wait()
    assert after(study, *lines, complete(1, 0.1)) == Stop("target")


def test_in_synchronous_mode_a_batch_is_ended_before_a_goal_counts() -> None:
    study = stop_at(a_study(9, **SYNCHRONOUS), target=0.5)
    assert after(study, asked(0, 2), attempt(0), complete(0, 0.9)) == Start(1, 1, 4, 0)


@pytest.mark.parametrize(
    ("more", "reason"), [({"stopping": True}, "user"), ({"now": 10.0}, "seconds")]
)
def test_a_user_or_the_clock_ends_a_run_without_a_new_start(
    more: dict[str, float], reason: str
) -> None:
    study = stop_at(a_study(9), seconds=10.0)
    lines = [asked(0, 2), attempt(0)]
    assert after(study, **more) == Stop(reason)  # type: ignore[arg-type]
    assert after(study, *lines, **more) == Wait()  # type: ignore[arg-type]
    ended = interrupted(0, "user")
    assert after(study, *lines, ended, **more) == Stop(reason)  # type: ignore[arg-type]


def test_a_study_that_has_ended_is_ended_whoever_stops_it() -> None:
    study = a_study(1)
    assert after(study, *ONE_DONE, stopping=True) == Stop("trials")


def test_a_run_after_one_in_which_everything_failed_tries_again() -> None:
    study = stop_at(a_study(9), failures=1)
    lines = [asked(0, 1), attempt(0), failed(0, "error")]
    assert after(study, *lines) == Stop("failures")
    assert after(study, *lines, stopped("failures")) == Ask(2)


@pytest.mark.parametrize(
    ("events", "trials"),
    [
        pytest.param([], 7, id="before anything was asked"),
        pytest.param([asked(0, 2), stopped("user")], 7, id="stopped on the way"),
        pytest.param([*ONE_DONE, stopped("plateau")], 3, id="ended early"),
        pytest.param([target(10)], 12, id="raised before"),
    ],
)
def test_more_is_counted_from_what_was_wanted_or_from_the_end(
    events: list[Event], trials: int
) -> None:
    assert raised_target(folded(*events), a_study(5), 2) == trials


def test_more_is_wanted_after_a_target_line() -> None:
    study = a_study(1, batch_size=4)
    assert after(study, *ONE_DONE) == Stop("trials")
    assert after(study, *ONE_DONE, stopped("trials"), target(3)) == Ask(2)
    assert target_trials(folded(target(3)), a_study(8)) == 8


@pytest.mark.parametrize("synchronous", [False, True], ids=["steady", "synchronous"])
@pytest.mark.parametrize("goal", [{"target": 0.5}, {"plateau": 1}], ids=["target", "plateau"])
def test_who_asks_for_more_wants_better(goal: dict[str, float], synchronous: bool) -> None:
    study = stop_at(a_study(2, batch_size=1, synchronous=synchronous), **goal)
    lines = [*ONE_DONE, asked(1, 1, batch=1), attempt(1), complete(1, 0.4)]
    assert isinstance(after(study, *lines), Stop)
    lines += [stopped(next(iter(goal))), target(9)]
    assert after(study, *lines) == Ask(1)
    lines += [asked(2, 1, batch=2), attempt(2)]
    assert after(study, *lines, complete(2, 0.6)) == (
        Stop("target") if "target" in goal else Ask(1)
    )


def test_an_exhausted_space_still_takes_what_a_person_enqueues() -> None:
    lines = [asked(0, 1, exhausted=True), attempt(0), complete(0, 0.5)]
    assert after(a_study(9), *lines, enqueued("a")) == Ask(1)


def at_rung(*values: float, rung: int = 3) -> list[Event]:
    """Trials that paused there, all of one batch."""
    lines: list[Event] = [asked(0, len(values)), *(attempt(n, until=3) for n in range(len(values)))]
    for number, value in enumerate(values):
        lines += paused(number, rung, value)
    return lines


@pytest.mark.parametrize(
    ("values", "action"),
    [
        pytest.param((0.1, 0.2), Ask(2), id="too few to choose from"),
        pytest.param((0.1, 0.3, 0.2), Promote(((1, 9),)), id="the best third"),
        pytest.param((0.3, 0.3, 0.3), Promote(((0, 9),)), id="the lower number of equals"),
        pytest.param((0.1, 0.2, 0.3, 0.6, 0.5, 0.4), Promote(((3, 9),)), id="one a slot"),
    ],
)
def test_steady_rungs(values: tuple[float, ...], action: Action) -> None:
    study = a_study(9, epochs=12, rungs=RUNGS, batch_size=2)
    assert after(study, *at_rung(*values)) == action


def test_brackets_start_at_higher_rungs_and_are_judged_apart() -> None:
    study = a_study(200, epochs=27, rungs=Rungs(brackets=3))
    rungs = study.search.rungs
    assert rungs is not None
    trials = folded(asked(0, 200)).trials
    found = Counter(rung_epochs(study, trial) for trial in trials)
    assert set(found) == {(1, 3, 9, 27), (3, 9, 27), (9, 27)}
    # Hyperband's sizes: 27 to 12 to 6, in parts of 45.
    assert [round(found[at] / 200 * 45) for at in sorted(found)] == [27, 12, 6]
    lines: list[Event] = [asked(0, 4)]
    for number, (first, value) in enumerate([(1, 0.9), (3, 0.1), (3, 0.2), (3, 0.3)]):
        lines += [attempt(number, until=first), *paused(number, first, value)]
    lines += [promoted(0, 3), attempt(0, 2, until=3), *paused(0, 3, 0.9, 2)]
    assert after(study, *lines) == Promote(((3, 9),))


def test_the_promoted_goes_before_the_queue_and_one_at_a_time() -> None:
    study = a_study(12, epochs=12, rungs=RUNGS)
    lines = [*at_rung(0.6, 0.5, 0.4, 0.3, 0.2, 0.1), asked(6, 2, batch=1), promoted(0, 9)]
    assert after(study, *lines) == Start(0, 2, 9, 0)
    lines.append(attempt(0, 2, until=9))
    assert after(study, *lines) == Promote(((1, 9),))


def test_the_winner_is_trained_in_full_when_nothing_else_is_left() -> None:
    study = a_study(2, epochs=12, rungs=RUNGS)
    lines = at_rung(0.1, 0.2)
    assert after(study, *lines) == Promote(((1, 9),))
    lines += [promoted(1, 9), attempt(1, 2, until=9), *paused(1, 9, 0.5, 2)]
    assert after(study, *lines) == Promote(((1, 12),))
    lines += [promoted(1, 12), attempt(1, 3, until=12), failed(1, "nan", 3)]
    assert after(study, *lines) == Promote(((0, 9),)), "the next best takes a failed one's place"
    lines += [promoted(0, 9), attempt(0, 2, until=9), complete(0, 0.6, 2)]
    assert after(study, *lines) == Stop("trials")


def test_synchronous_rungs_wait_for_the_batch_and_promote_together() -> None:
    study = a_study(9, epochs=12, rungs=Rungs(first=3, factor=2), batch_size=4, synchronous=True)
    lines = at_rung(0.1, 0.2, 0.3, 0.4)
    assert after(study, *lines[:-1], slots=9) == Wait()
    assert after(study, *lines) == Promote(((2, 6), (3, 6)))
    lines.append(promoted(2, 6))
    lines += [attempt(2, 2, until=6), *paused(2, 6, 0.9, 2)]
    assert after(study, *lines) == Promote(((3, 6),)), "a driver died between two promotions"
    lines += [promoted(3, 6), attempt(3, 2, until=6), *paused(3, 6, 0.5, 2)]
    assert after(study, *lines) == Promote(((2, 12),))
    lines += [promoted(2, 12), attempt(2, 3, until=12), complete(2, 0.9, 3)]
    assert after(study, *lines) == Ask(4)


def calm(regret: float) -> dict[str, object]:
    """What an `asked` line holds of a forecast."""
    return {"forecast": {"gain": regret / 2, "regret": regret}}


@pytest.mark.parametrize("mode", [{}, SYNCHRONOUS], ids=["steady", "synchronous"])
def test_a_search_with_little_left_to_gain_ends_after_its_batch(mode: dict[str, object]) -> None:
    study = stop_at(a_study(20, **mode), regret=0.01)
    first = [asked(0, 2, **calm(0.005)), attempt(0), attempt(1), complete(0, 0.5), complete(1, 0.4)]
    second = [asked(2, 2, batch=1, **calm(0.002)), attempt(2), attempt(3)]
    ends = [complete(2, 0.5), complete(3, 0.5)]
    assert after(study, *first) == Ask(2)  # once may be chance
    assert after(study, *first, *second) == Wait()
    assert after(study, *first, *second, *ends) == Stop("regret")
    hopeful = [asked(2, 2, batch=1, **calm(0.02)), *second[1:]]
    assert after(study, *first, *hopeful, *ends) == Ask(2)


def test_more_trials_and_a_persons_idea_go_on_where_little_is_left() -> None:
    study = stop_at(a_study(20), regret=0.01)
    events = [
        asked(0, 1, **calm(0.005)), attempt(0), complete(0, 0.5),
        asked(1, 1, batch=1, **calm(0.005)), attempt(1), complete(1, 0.5),
    ]  # fmt: skip
    assert after(study, *events) == Stop("regret")
    assert after(study, *events, enqueued("mine")) == Ask(1)
    assert after(study, *events, stopped("regret"), target(22)) == Ask(2)


def test_without_a_limit_a_forecast_ends_nothing() -> None:
    events = [
        asked(0, 1, **calm(0.0)), attempt(0), complete(0, 0.5),
        asked(1, 1, batch=1, **calm(0.0)), attempt(1), complete(1, 0.5),
    ]  # fmt: skip
    assert after(a_study(20), *events) == Ask(2)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"gpu_hours": 5.0 / 3600}, "gpu_hours"),
        ({"money": 10.0 / 3600, "cost_per_gpu_hour": 2.0}, "money"),
    ],
    ids=["gpu_hours", "money"],
)
def test_a_budget_counts_what_ended_and_what_runs(limits: dict[str, float], reason: str) -> None:
    study = stop_at(a_study(20), **limits)
    ended = [asked(0, 2), attempt(0), complete(0, 0.5)]  # three seconds, and begun at 2.0
    running = [*ended, attempt(1)]
    assert after(study, *ended, now=100.0) == Start(1, 1, 4, 0)
    assert after(study, *running, now=3.9) == Ask(2)
    assert after(study, *running, now=4.1) == Wait()
    assert after(study, *running, complete(1, 0.6), now=4.1) == Stop(reason)


def test_a_trial_costs_by_its_devices_and_what_shares_them() -> None:
    study = stop_at(a_study(20), gpu_hours=5.0 / 3600)
    events = [asked(0, 1), attempt(0), complete(0, 0.5)]
    two = study.model_copy(update={"resources": Resources(devices=2)})
    shared = study.model_copy(update={"resources": Resources(devices=2, gpu_share=4)})
    assert after(two, *events) == Stop("gpu_hours")
    assert after(shared, *events) == Ask(2)


def test_a_trial_that_ran_out_of_a_shared_gpus_memory_gets_one_for_itself() -> None:
    study = a_study(20).model_copy(update={"resources": Resources(gpu_share=4)})
    assert after(study, asked(0, 1)) == Start(0, 1, 4, 0, share=4)
    shared = attempt(0).model_copy(update={"share": 4})
    assert after(study, asked(0, 1), shared, failed(0, "oom")) == Start(0, 2, 9, 0, share=1)


def test_money_without_a_price_is_refused() -> None:
    with pytest.raises(ValueError, match="cost_per_gpu_hour"):
        StoppingCriteria(money=3.0)
