"""The fold over a study's journal: what each event makes of the state.

`apply` is the one place that says what may follow what; an event that does not fit is refused with
BadInput, so that a journal is right line by line and every prefix of it is a state. A step costs
about the square root of the number of trials.
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
from tasks.study.trial import OVER, Trial, begun, cut_short, ended


def fold(lines: Iterable[events.Event], direction: Direction) -> State:
    """The state after a journal's events; BadInput when one does not fit those before it."""
    return reduce(apply, lines, State(direction))


def fold_file(path: Path, lines: Iterable[events.Event], direction: Direction) -> State:
    """As `fold`; BadInput names the file and the line that does not fit."""
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
    """The state after one more event; BadInput when it does not fit."""
    return _STEPS[event.event](state, event).but(time=event.time)


def _asked(state: State, event: events.Asked) -> State:
    numbers = [suggestion.number for suggestion in event.suggestions]
    wanted = list(range(state.asked, state.asked + len(numbers)))
    if event.first != state.asked or event.batch != state.batches or numbers != wanted:
        raise BadInput(
            f"batch {event.batch} from trial {event.first} does not follow "
            f"{state.batches} batches and {state.asked} trials"
        )
    trials, ready = state.trials, state.ready
    for given in event.suggestions:
        trials = trials.append(
            Trial(given.number, event.batch, given.values, given.digest, given.origin, event.time)
        )
        ready = ready.add((0, given.number))
    taken = sum(given.origin == "enqueued" for given in event.suggestions) + event.dropped
    return state.but(
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
    return _put(state, begun(trial, event)).but(stopped=None)


def _reported(state: State, event: events.Reported) -> State:
    trial = _trial(state, event, "running")
    if not trial.rung < event.rung <= (trial.until or 0):
        raise _misfit(event, f"rung {event.rung} is not between {trial.rung} and {trial.until}")
    reports = (*trial.reports, (event.rung, event.value))
    place = (reports[0][0], event.rung)
    rung = state.rungs.get(place, Rung())
    key = (state.sign * event.value, trial.number)
    rungs = {**state.rungs, place: replace(rung, reported=rung.reported.add(key))}
    return _put(state, replace(trial, reports=reports)).but(rungs=rungs)


def _promoted(state: State, event: events.Promoted) -> State:
    trial = _trial(state, event, "paused")
    if event.until <= trial.rung:
        raise _misfit(event, f"it reported at epoch {trial.rung}")
    state = state.but(rungs=_waiting(state, trial, SortedSet.discard), stopped=None)
    return _put(state, replace(trial, status="queued", until=event.until))


def _finished(state: State, event: events.Finished) -> State:
    trial = _attempted(state, event)
    if event.outcome == "paused" and trial.rung != trial.until:
        raise _misfit(event, f"no report says what it was worth at epoch {trial.until}")
    after = ended(trial, event)
    if event.outcome == "paused":
        state = state.but(rungs=_waiting(state, trial, SortedSet.add))
    return _judged(_put(state, after), after, state.best)


def _interrupted(state: State, event: events.Interrupted) -> State:
    after = cut_short(_attempted(state, event), event)
    return _judged(_put(state, after), after, state.best)


def _enqueued(state: State, event: events.Enqueued) -> State:
    _new_key(state, event.key)
    return state.but(enqueued=(*state.enqueued, event), keys=state.keys | {event.key})


def _target(state: State, event: events.Target) -> State:
    _new_key(state, event.key)
    return state.but(
        target=event.trials,
        keys=state.keys | {event.key},
        stale=0,
        forecasts=(),
        judged_from=state.asked,
        judged_best=state.ranked.first,
        stopped=None,
    )


def _changed(state: State, event: events.Changed) -> State:
    after = {key: values[1] for key, values in event.changes.items()}
    return state.but(changes={**state.changes, **after})


def _stopped(state: State, event: events.Stopped) -> State:
    if state.running:
        raise BadInput(f"the study stopped while trial {state.running.first} was running")
    return state.but(stopped=event.reason, failures=0, first_failure=None)


def _champion(state: State, event: events.Champion) -> State:
    return state.but(champion=(*state.champion, event))


# Each takes the event of its name; a mapping cannot say so to the type checker.
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
    """With a trial replaced, and moved between the sets that follow from its status and rank."""
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
    return state.but(
        trials=state.trials.replace(trial.number, trial),
        ready=ready,
        running=running,
        ranked=ranked,
        seconds=state.seconds + trial.seconds - before.seconds,
        counts=_moved(state, before.status, trial.status),
    )


def _judged(state: State, trial: Trial, best_before: Trial | None) -> State:
    """With an ended trial counted towards a plateau or a run of failures."""
    best = state.best
    if best is not None and (best_before is None or _better(state, best, best_before)):
        state = state.but(stale=0)
    elif trial.status in OVER or (trial.status == "paused" and len(trial.reports) == 1):
        state = state.but(stale=state.stale + 1)
    if trial.status != "failed":
        return state
    first = trial.number if state.first_failure is None else state.first_failure
    return state.but(failures=state.failures + 1, first_failure=first)


def _better(state: State, trial: Trial, other: Trial) -> bool:
    """Whether a trial is better, and not merely of a lower number."""
    mine, others = trial.rank(state.sign), other.rank(state.sign)
    return mine is not None and others is not None and mine[:2] < others[:2]


def _counted(state: State, **more: int) -> dict[str, int]:
    return {**state.counts, **{key: state.counts.get(key, 0) + n for key, n in more.items()}}


def _moved(state: State, before: str, after: str) -> Mapping[str, int]:
    return state.counts if before == after else _counted(state, **{before: -1, after: 1})


def _waiting(
    state: State, trial: Trial, change: Callable[..., SortedSet[tuple[float, int]]]
) -> dict[tuple[int, int], Rung]:
    """The rungs with a trial put among those that wait at its rung, or taken from them."""
    epochs, value = trial.reports[-1]
    place = (trial.reports[0][0], epochs)
    rung = state.rungs[place]
    waiting = change(rung.waiting, (state.sign * value, trial.number))
    return {**state.rungs, place: replace(rung, waiting=waiting)}


def _trial(state: State, event: Any, status: str) -> Trial:
    """The trial that an event is about, which must be in a status."""
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


def _misfit(event: Any, why: str) -> BadInput:
    return BadInput(f"{event.event!r} does not fit trial {event.number}: {why}")


def _new_key(state: State, key: str) -> None:
    if key in state.keys:
        raise BadInput(f"the request {key!r} was recorded before")
