"""Run a training of the champion step to its end, with the retries of a trial of the search."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import DenseError
from tasks.study.trial import MAX_DEATHS, MAX_FRUITLESS, MAX_HALVINGS
from tasks.train.engine.outcome import Outcome
from tasks.train.engine.recover import of_result
from tasks.train.folder import TrialFolder
from tasks.train.spec import Result, TrialSpec

IDENTITY = (
    *("digest", "seed", "until", "keep", "train", "also", "validation"),
    *("begin", "sparsity", "teacher", "temperature"),
)
"""Fields of a spec that determine the trained weights."""
RunTrial = Callable[[TrialSpec, Path], Outcome]
"""Runs one attempt of a spec in a folder: the trial engine's `run`."""


def train_or_raise(
    run: RunTrial, spec: TrialSpec, folder: Path, *, problem: str, remedy: str
) -> Path:
    """Train with `train` and return the folder, or raise if the training did not complete.

    Raises:
        DenseError: it failed or was stopped; the message starts with `problem`, ends with `remedy`.
    """
    outcome = train(run, spec, folder)
    if outcome.outcome != "complete":
        log = TrialFolder(folder).log
        raise DenseError(f"{problem} ({outcome.cause}: {outcome.message}); see {log}, {remedy}")
    return folder


def train(run: RunTrial, spec: TrialSpec, folder: Path) -> Outcome:
    """Train a spec, resuming an earlier attempt; return at once if it is already complete.

    Attempts that ran out of memory, were killed or lost their machine are retried by the rules of
    the search.

    Args:
        run: runs one attempt.
        spec: its `attempt` and `halvings` are set here.
        folder: of the training.

    Returns:
        The outcome of the last attempt: `complete`, `failed`, or `interrupted` by the user. It is
        `failed` if the driver died `MAX_DEATHS` times in a row without a new epoch.
    """
    done = finished(spec, folder)
    if done is not None:
        return done
    deaths = _Deaths(folder)
    if deaths.count() >= MAX_DEATHS:
        return Outcome(
            "failed",
            "driver",
            message=f"the driver died {MAX_DEATHS} times in a row without a new epoch; "
            f"remove {deaths.path} to retry",
        )
    attempt, halvings, fruitless, epochs = _attempts(folder), 0, 0, 0
    while True:
        attempt += 1
        now = spec.model_copy(update={"attempt": attempt, "halvings": halvings})
        deaths.begin()
        try:
            outcome = run(now, folder)
        finally:
            deaths.end()
        if outcome.epochs > epochs:
            epochs, fruitless = outcome.epochs, 0
        if outcome.cause == "oom" and halvings < MAX_HALVINGS:
            halvings += 1
        elif outcome.cause in ("infrastructure", "killed") and fruitless + 1 < MAX_FRUITLESS:
            fruitless += 1
        else:
            return outcome


class _Deaths:
    """Counts deaths of the driver during a training since the last new epoch.

    The file is written before an attempt, and removed after it if the driver is still alive.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "deaths.json"
        self._folder = TrialFolder(folder)

    def count(self) -> int:
        """Deaths since the last new epoch."""
        try:
            deaths, epochs = json.loads(self.path.read_bytes())
        except (OSError, ValueError, TypeError):
            return 0
        return int(deaths) if self._folder.finished_epochs() <= int(epochs) else 0

    def begin(self) -> None:
        """Count this attempt as a death until `end` is called."""
        epochs = self._folder.finished_epochs()
        write_atomically(self.path, json.dumps([self.count() + 1, epochs]))

    def end(self) -> None:
        """The attempt is over and the driver is alive: reset the count."""
        self.path.unlink(missing_ok=True)


def finished(spec: TrialSpec, folder: Path) -> Outcome | None:
    """The outcome of an earlier training of the same spec; None unless it is complete and its
    weights are on disk."""
    result = Result.read(folder)
    if result is None or result.outcome != "complete" or not TrialFolder(folder).learnt.exists():
        return None
    try:
        earlier = TrialSpec.read(folder)
    except DenseError:
        return None  # damaged, or written by another version: train again
    if any(getattr(earlier, name) != getattr(spec, name) for name in IDENTITY):
        return None
    return of_result(result) if result.answers(earlier.attempt, earlier.until) else None


def _attempts(folder: Path) -> int:
    """Attempts started so far."""
    try:
        return TrialSpec.read(folder).attempt
    except DenseError:
        return 0
