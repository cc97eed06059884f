"""Replay of a study's journal: fold its events into the state.

`apply` alone decides which event may follow which. It refuses an event that does not fit, so that
every prefix of a journal is a valid state. An event costs about the square root of the number of
trials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

from conf.runtime.errors import BadInput
from tasks.study import events
from tasks.study.persistent_collections import SortedSet
from tasks.study.state import Direction, Rung, State
from tasks.study.trial import OVER, Status, Trial, after_end, after_interruption, after_start

TrialEvent = (
    events.Attempt | events.Reported | events.Promoted | events.Finished | events.Interrupted
)


def fold(lines: Iterable[events.Event], direction: Direction) -> State:
    """The state after the events of a journal.

    Raises:
        BadInput: an event does not fit those before it.
    """
    return reduce(apply, lines, State(direction))


def fold_file(path: Path, lines: Iterable[events.Event], direction: Direction) -> State:
    """As `fold`, with errors that name the file.

    Raises:
        BadInput: an event does not fit; the message names its line.
    """
    state = State(direction)
    for number, line in enumerate(lines, start=1):
        try:
            state = apply(state, line)
        except BadInput as error:
            raise BadInput(
                f"{path}, line {number}: {error}; restore the journal from a copy, "
                "or start the study under another name"
            ) from error
    return state


def apply(state: State, event: events.Event) -> State:
    """The state after one more event.

    Raises:
        BadInput: the event does not fit.
    """
    return _STEPS[event.event](state, event).replaced(time=event.time)


def _asked(state: State, event: events.Asked) -> State:
    numbers = [suggestion.number for suggestion in event.suggestions]
    expected = list(range(state.asked, state.asked + len(numbers)))
    if event.first != state.asked or event.batch != state.batches or numbers != expected:
        raise BadInput(
            f"batch {event.batch} from trial {event.first} does not follow "
            f"{state.batches} batches and {state.asked} trials"
        )
    trials, ready = state.trials, state.ready
    for suggestion in event.suggestions:
        trials = trials.append(
            Trial(
                suggestion.number,
                event.batch,
                suggestion.values,
                suggestion.digest,
                suggestion.origin,
                event.time,
            )
        )
        ready = ready.add((0, suggestion.number))
    taken = sum(suggestion.origin == "enqueued" for suggestion in event.suggestions) + event.dropped
    return state.replaced(
        trials=trials,
        ready=ready,
        batches=state.batches + 1,
        batch_first=event.first,
        memory=event.state,
        exhausted=event.exhausted,
        enqueued=state.enqueued[taken:],
        forecasts=(*state.forecasts, event.forecast)[-2:] if event.forecast else state.forecasts,
        counts=_counted(state, queued=len(numbers)),
        stopped=None,
    )


def _attempt(state: State, event: events.Attempt) -> State:
    trial = _trial(state, event, "queued")
    if event.attempt != trial.attempt + 1:
        raise _misfit(event, f"its last attempt was {trial.attempt}")
    if event.until < trial.rung:
        raise _misfit(event, f"it reported at epoch {trial.rung}")
    return _put(state, after_start(trial, event)).replaced(stopped=None)


def _reported(state: State, event: events.Reported) -> State:
    trial = _trial(state, event, "running")
    if not trial.rung < event.rung <= (trial.until or 0):
        raise _misfit(event, f"rung {event.rung} is not between {trial.rung} and {trial.until}")
    reports = (*trial.reports, (event.rung, event.value))
    place = (reports[0][0], event.rung)
    rung = state.rungs.get(place, Rung())
    key = (state.sign * event.value, trial.number)
    rungs = {**state.rungs, place: replace(rung, reported=rung.reported.add(key))}
    return _put(state, replace(trial, reports=reports)).replaced(rungs=rungs)


def _promoted(state: State, event: events.Promoted) -> State:
    trial = _trial(state, event, "paused")
    if event.until <= trial.rung:
        raise _misfit(event, f"it reported at epoch {trial.rung}")
    state = state.replaced(rungs=_waiting(state, trial, SortedSet.discard), stopped=None)
    return _put(state, replace(trial, status="queued", until=event.until))


def _finished(state: State, event: events.Finished) -> State:
    trial = _attempted(state, event)
    if event.outcome == "paused" and trial.rung != trial.until:
        raise _misfit(event, f"it has no report at epoch {trial.until}")
    after = after_end(trial, event)
    if event.outcome == "paused":
        state = state.replaced(rungs=_waiting(state, trial, SortedSet.add))
    return _count_end(_put(state, after), after, state.best)


def _interrupted(state: State, event: events.Interrupted) -> State:
    after = after_interruption(_attempted(state, event), event)
    return _count_end(_put(state, after), after, state.best)


def _enqueued(state: State, event: events.Enqueued) -> State:
    _new_key(state, event.key)
    return state.replaced(enqueued=(*state.enqueued, event), keys=state.keys | {event.key})


def _target(state: State, event: events.Target) -> State:
    _new_key(state, event.key)
    return state.replaced(
        target=event.trials,
        keys=state.keys | {event.key},
        stale=0,
        forecasts=(),
        plateau_from=state.asked,
        best_before_target=state.ranked.first,
        stopped=None,
    )


def _changed(state: State, event: events.Changed) -> State:
    after = {key: values[1] for key, values in event.changes.items()}
    return state.replaced(changes={**state.changes, **after})


def _stopped(state: State, event: events.Stopped) -> State:
    if state.running:
        raise BadInput(f"the study stopped while trial {state.running.first} was running")
    return state.replaced(stopped=event.reason, failures=0, first_failure=None)


def _champion(state: State, event: events.Champion) -> State:
    return state.replaced(champion=(*state.champion, event))


# Each takes the event of its name, which the type checker cannot express for a mapping.
_STEPS: dict[str, Callable[[State, Any], State]] = {
    "asked": _asked,
    "attempt": _attempt,
    "reported": _reported,
    "promoted": _promoted,
    "finished": _finished,
    "interrupted": _interrupted,
    "enqueued": _enqueued,
    "target": _target,
    "changed": _changed,
    "stopped": _stopped,
    "champion": _champion,
}


def _put(state: State, trial: Trial) -> State:
    """Replace a trial, and move it between the sets of its status and its place in the ranking."""
    before = state.trials[trial.number]
    ready, running, ranked = state.ready, state.running, state.ranked
    if before.status == "queued":
        ready = ready.discard((-before.rung, trial.number))
    if trial.status == "queued":
        ready = ready.add((-trial.rung, trial.number))
    if before.status != trial.status:
        change = running.add if trial.status == "running" else running.discard
        running = change(trial.number)
    old, new = before.rank(state.sign), trial.rank(state.sign)
    if old != new:
        ranked = ranked if old is None else ranked.discard(old)
        ranked = ranked if new is None else ranked.add(new)
    return state.replaced(
        trials=state.trials.replace(trial.number, trial),
        ready=ready,
        running=running,
        ranked=ranked,
        seconds=state.seconds + trial.seconds - before.seconds,
        counts=_moved(state, before.status, trial.status),
    )


def _count_end(state: State, trial: Trial, best_before: Trial | None) -> State:
    """Count an ended trial towards the plateau and the failures."""
    best = state.best
    if best is not None and (best_before is None or _better(state, best, best_before)):
        state = state.replaced(stale=0)
    elif trial.status in OVER or (trial.status == "paused" and len(trial.reports) == 1):
        state = state.replaced(stale=state.stale + 1)
    if trial.status != "failed":
        return state
    first = trial.number if state.first_failure is None else state.first_failure
    return state.replaced(failures=state.failures + 1, first_failure=first)


def _better(state: State, trial: Trial, other: Trial) -> bool:
    """Whether a trial is better, a lower number apart."""
    rank, other_rank = trial.rank(state.sign), other.rank(state.sign)
    return rank is not None and other_rank is not None and rank[:2] < other_rank[:2]


def _counted(state: State, **more: int) -> dict[str, int]:
    return {**state.counts, **{key: state.counts.get(key, 0) + n for key, n in more.items()}}


def _moved(state: State, before: str, after: str) -> Mapping[str, int]:
    return state.counts if before == after else _counted(state, **{before: -1, after: 1})


def _waiting(
    state: State, trial: Trial, change: Callable[..., SortedSet[tuple[float, int]]]
) -> dict[tuple[int, int], Rung]:
    """The rungs after adding a trial to, or removing it from, those that wait at its rung."""
    epochs, value = trial.reports[-1]
    place = (trial.reports[0][0], epochs)
    rung = state.rungs[place]
    waiting = change(rung.waiting, (state.sign * value, trial.number))
    return {**state.rungs, place: replace(rung, waiting=waiting)}


def _trial(state: State, event: TrialEvent, status: Status) -> Trial:
    """The trial of an event.

    Raises:
        BadInput: it was never asked, or has another status.
    """
    if event.number >= state.asked:
        raise _misfit(event, "it was never asked")
    trial = state.trials[event.number]
    if trial.status != status:
        raise _misfit(event, f"it is {trial.status}")
    return trial


def _attempted(state: State, event: events.Finished | events.Interrupted) -> Trial:
    trial = _trial(state, event, "running")
    if event.attempt != trial.attempt:
        raise _misfit(event, f"attempt {trial.attempt} is the one that runs")
    return trial


def _misfit(event: TrialEvent, why: str) -> BadInput:
    return BadInput(f"{event.event!r} does not fit trial {event.number}: {why}")


def _new_key(state: State, key: str) -> None:
    if key in state.keys:
        raise BadInput(f"the request {key!r} was recorded before")
