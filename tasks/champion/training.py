"""A training that the champion step asks for, run to its end, whatever it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conf.errors import DenseError
from tasks.study.trial import MAX_FRUITLESS, MAX_HALVINGS
from tasks.train.folder import TrialFolder
from tasks.train.outcome import Outcome
from tasks.train.settle import of_result
from tasks.train.spec import Result, TrialSpec

Run = Callable[[TrialSpec, Path], Outcome]


def train(run: Run, spec: TrialSpec, folder: Path) -> Outcome:
    """Train what `spec` says, from where an earlier attempt left off; nothing if it is done.

    What memory or the machine ended is tried again as a trial of the search would be.

    Args:
        run: the engine's `run`.
        spec: its `attempt` and `halvings` are counted here.
        folder: of the training.

    Returns:
        How the last attempt ended: `complete`, `failed`, or `interrupted` by a stop.
    """
    done = finished(spec, folder)
    if done is not None:
        return done
    attempt, halvings, fruitless, epochs = _attempts(folder), 0, 0, 0
    while True:
        attempt += 1
        now = spec.model_copy(update={"attempt": attempt, "halvings": halvings})
        outcome = run(now, folder)
        if outcome.epochs > epochs:
            epochs, fruitless = outcome.epochs, 0
        if outcome.cause == "oom" and halvings < MAX_HALVINGS:
            halvings += 1
        elif outcome.cause in ("infrastructure", "killed") and fruitless + 1 < MAX_FRUITLESS:
            fruitless += 1
        else:
            return outcome


def finished(spec: TrialSpec, folder: Path) -> Outcome | None:
    """The outcome of this very training if it is complete and its weights are there."""
    result = Result.read(folder)
    if result is None or result.outcome != "complete" or not TrialFolder(folder).learnt.exists():
        return None
    try:
        kept = TrialSpec.read(folder)
    except DenseError:
        return None  # damaged, or of another version: trained again
    same = ("digest", "seed", "until", "keep", "train", "also", "validation")
    if any(getattr(kept, name) != getattr(spec, name) for name in same):
        return None
    return of_result(result) if result.answers(kept.attempt, kept.until) else None


def _attempts(folder: Path) -> int:
    """Attempts begun so far."""
    try:
        return TrialSpec.read(folder).attempt
    except DenseError:
        return 0
