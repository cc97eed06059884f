"""Successive halving: which paused trials are promoted to the next rung.

Steady mode is asynchronous successive halving (ASHA, arXiv:1810.05934): a free slot promotes a
trial that is among the best 1/factor of its bracket's reports at its rung so far, and no trial
waits for another. Synchronous mode halves each batch by itself once all of it has ended (successive
halving, arXiv:1502.07943; with brackets Hyperband, arXiv:1603.06560). When nothing else is left in
either mode, the incumbent is promoted to the end: the winner of a study has been trained in full.
"""

from __future__ import annotations

from collections.abc import Iterable

from conf.schema.study import Study
from tasks.study.state import State
from tasks.study.trial import Trial

Promotions = tuple[tuple[int, int], ...]
"""(number, budget in epochs) of each trial to promote."""


def promote_any(state: State, study: Study) -> Promotions:
    """Promote one trial that is good enough for its rung, from the highest rung that has one.

    None while a promoted trial still waits for its slot: later reports may change the choice.
    """
    if study.search.rungs is None or (state.ready.first or (0, 0))[0] < 0:
        return ()
    for epochs, bracket in sorted(((at, first) for first, at in state.rungs), reverse=True):
        rung = state.rungs[bracket, epochs]
        best = rung.waiting.first
        places = len(rung.reported) // study.search.rungs.factor
        if best is not None and rung.reported.rank(best) < places:
            return ((best[1], _next_rung(study, epochs)),)
    return ()


def promote_within_batch(state: State, study: Study) -> Promotions:
    """Promote the best of the last batch, at its lowest rung with a trial worth promoting.

    Called only when nothing runs or is queued, so that every report at that rung is in.
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
            return tuple((number, _next_rung(study, epochs)) for number in sorted(going))
    return ()


def promote_best(state: State, study: Study) -> Promotions:
    """Promote the incumbent where it is paused; no other trial got further."""
    best = state.best
    if study.search.rungs is None or best is None or best.status != "paused":
        return ()
    return ((best.number, _next_rung(study, best.rung)),)


def _next_rung(study: Study, epochs: int) -> int:
    """The rung above, or the full training; rungs exclude a searched `train.epochs`."""
    rungs, whole = study.search.rungs, study.train.epochs
    levels = rungs.levels(whole) if rungs else (whole,)
    return min(level for level in levels if level > epochs)


def _reports(batch: Iterable[Trial], epochs: int, sign: float) -> Iterable[tuple[float, int]]:
    for trial in batch:
        value = dict(trial.reports).get(epochs)
        if value is not None:
            yield sign * value, trial.number
