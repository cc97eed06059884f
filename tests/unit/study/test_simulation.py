"""Whole studies with a told clock, with drivers and trials that die anywhere."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conf.schema.search import Rungs
from conf.schema.study import Study
from tasks.study.events import Asked, Attempt, Finished, Promoted
from tasks.study.replay import fold
from tasks.study.state import State
from tests.unit.study.simulation import (
    World,
    a_study,
    asked_lines,
    blind,
    many_deaths,
    run,
    troubles,
    unit,
)

ENDED = ("complete", "paused", "stopped", "failed")


def check_history(world: World, state: State) -> None:
    """What must hold of any journal, however it came about."""
    lines = world.lines()
    asked = [s.number for line in lines if isinstance(line, Asked) for s in line.suggestions]
    assert asked == list(range(len(asked))), "every number is asked once, in order"
    assert len(asked) == world.study.search.trials
    assert state.count(*ENDED) == len(asked), "nothing is lost"
    attempts = Counter((line.number, line.attempt) for line in lines if isinstance(line, Attempt))
    assert set(attempts.values()) == {1}, "an attempt is made once"
    assert set(world.starts) <= set(attempts), "an attempt is on disk before it starts"
    over: set[int] = set()
    allowed: dict[int, int] = {}
    for line in lines:
        if isinstance(line, Attempt):
            assert line.number not in over, "nothing runs after its end"
            until = allowed.setdefault(line.number, line.until)
            assert until == line.until, "promoted before its attempt"
        elif isinstance(line, Promoted):
            allowed[line.number] = line.until
        elif isinstance(line, Finished) and line.outcome in ("complete", "stopped"):
            over.add(line.number)
    assert fold(lines, "maximize") == state


@pytest.mark.parametrize(
    "study",
    [
        pytest.param(a_study(600, batch_size=4), id="steady"),
        pytest.param(a_study(600, batch_size=7, synchronous=True), id="synchronous"),
        pytest.param(a_study(600, epochs=9, rungs=Rungs(), batch_size=4), id="steady-rungs"),
        pytest.param(
            a_study(600, epochs=9, rungs=Rungs(), batch_size=9, synchronous=True),
            id="synchronous-rungs",
        ),
        pytest.param(a_study(600, epochs=9, rungs=Rungs(brackets=3), batch_size=4), id="brackets"),
    ],
)
def test_thousands_of_trials_survive_deaths_between_any_two_lines(study: Study) -> None:
    world = World(study, seed=1, deaths=many_deaths(1, 35), fails=troubles)
    reason, state = run(world, slots=3, propose=blind)
    assert reason == "trials"
    assert not world.deaths, "every planned death took place"
    check_history(world, state)
    assert not [trial for trial in state.trials if trial.cause == "driver"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    deaths=st.lists(st.integers(0, 60), max_size=4),
    seed=st.integers(0, 2**32),
    slots=st.integers(1, 4),
    rungs=st.sampled_from([None, Rungs(factor=2), Rungs(factor=2, brackets=2)]),
)
def test_a_synchronous_study_asks_the_same_whatever_is_killed(
    deaths: list[int], seed: int, slots: int, rungs: Rungs | None
) -> None:
    study = a_study(20, epochs=4, rungs=rungs, batch_size=5, synchronous=True)
    calm, stormy = World(study, fails=troubles), World(study, seed, list(deaths), troubles)
    _, expected = run(calm, slots=2)
    _, found = run(stormy, slots=slots)
    assert list(asked_lines(stormy)) == list(asked_lines(calm))
    assert [(t.status, t.value, t.reports) for t in found.trials] == [
        (t.status, t.value, t.reports) for t in expected.trials
    ]
    assert found.best is not None and expected.best is not None
    assert found.best.number == expected.best.number


@pytest.mark.parametrize("goal", ["target", "plateau", "failures"])
@pytest.mark.parametrize("seed", range(8))
def test_a_synchronous_study_stops_at_the_same_batch_whatever_is_killed(
    goal: str, seed: int
) -> None:
    limit = {"target": 0.85, "plateau": 7, "failures": 6}[goal]
    study = a_study(60, batch_size=4, synchronous=True)
    study = study.model_copy(update={"stop": study.stop.model_copy(update={goal: limit})})
    fails = (lambda *_: "error") if goal == "failures" else troubles
    calm = World(study, fails=fails)
    stormy = World(study, seed, many_deaths(seed, 4), fails)
    assert run(calm, slots=2)[0] == run(stormy, slots=3)[0] == goal
    assert list(asked_lines(stormy)) == list(asked_lines(calm))


def test_in_steady_mode_a_slow_trial_holds_nothing_up() -> None:
    world = World(a_study(40, batch_size=2))
    _, state = run(world, slots=2)
    gaps = [b - a for a, b in pairwise(sorted(t.started or 0.0 for t in state.trials))]
    longest = max((t.ended or 0.0) - (t.started or 0.0) for t in state.trials)
    assert max(gaps) < longest


def test_rungs_spend_a_fraction_of_the_epochs_and_finish_the_winner() -> None:
    world = World(a_study(81, epochs=27, rungs=Rungs(), batch_size=4))
    _, state = run(world, slots=4)
    assert state.best is not None and state.best.status == "complete"
    spent = sum(folder.epoch for folder in world.folders.values())
    assert spent < 81 * 27 / 4
    best = max(range(81), key=lambda number: unit("value", number))
    assert state.best.number == best
