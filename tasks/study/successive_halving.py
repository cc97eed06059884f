"""Which paused trials go on: successive halving that pauses and promotes.

Steady mode promotes asynchronously: a free slot takes a trial that is among the best 1/factor of
those of its bracket that reported at its rung so far, so that no trial waits for another.
Synchronous mode halves each batch by itself, once all of it has ended. When nothing else is left in
either mode, the best trial goes on to the end: the winner of a study has been trained in full.
"""

from __future__ import annotations

from collections.abc import Iterable

from conf.schema.study import Study
from tasks.study.state import State
from tasks.study.trial import Trial

Promotions = tuple[tuple[int, int], ...]
"""(number, epochs to train until) of each trial to promote."""


def of_all(state: State, study: Study) -> Promotions:
    """One trial that its rung lets pass, of the highest rung that has one; none while a promoted
    one still waits for its slot, since later reports may change the choice."""
    if study.search.rungs is None or (state.ready.first or (0, 0))[0] < 0:
        return ()
    for epochs, bracket in sorted(((at, first) for first, at in state.rungs), reverse=True):
        rung = state.rungs[bracket, epochs]
        best = rung.waiting.first
        places = len(rung.reported) // study.search.rungs.factor
        if best is not None and rung.reported.rank(best) < places:
            return ((best[1], _next_level(study, epochs)),)
    return ()


def of_last_batch(state: State, study: Study) -> Promotions:
    """The best of the last batch, at the lowest rung that still holds one back.

    Asked only when nothing runs or is queued: everyone who could report at that rung has.
    """
    if study.search.rungs is None:
        return ()
    batch = [state.trials[number] for number in range(state.batch_first, state.asked)]
    for epochs in sorted({trial.rung for trial in batch if trial.status == "paused"}):
        reports = sorted(_reports(batch, epochs, state.sign))
        places = max(1, len(reports) // study.search.rungs.factor)
        chosen = {number for _, number in reports[:places]}
        held = [
            trial.number for trial in batch if trial.status == "paused" and trial.rung == epochs
        ]
        if going := chosen.intersection(held):
            return tuple((number, _next_level(study, epochs)) for number in sorted(going))
    return ()


def of_best(state: State, study: Study) -> Promotions:
    """The best trial, where it is paused: no other got further."""
    best = state.best
    if study.search.rungs is None or best is None or best.status != "paused":
        return ()
    return ((best.number, _next_level(study, best.rung)),)


def _next_level(study: Study, epochs: int) -> int:
    """The rung above one, or the whole training. `train.epochs` is not searched where rungs are."""
    rungs, whole = study.search.rungs, study.train.epochs
    levels = rungs.levels(whole) if rungs else (whole,)
    return min(level for level in levels if level > epochs)


def _reports(batch: Iterable[Trial], epochs: int, sign: float) -> Iterable[tuple[float, int]]:
    for trial in batch:
        value = dict(trial.reports).get(epochs)
        if value is not None:
            yield sign * value, trial.number
