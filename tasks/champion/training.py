"""A training that the champion step asks for, run to its end, whatever it takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from conf.runtime.errors import DenseError
from conf.runtime.home import write_atomically
from tasks.study.trial import MAX_DEATHS, MAX_FRUITLESS, MAX_HALVINGS
from tasks.train.engine.outcome import Outcome
from tasks.train.engine.recover import of_result
from tasks.train.folder import TrialFolder
from tasks.train.spec import Result, TrialSpec

SAME = (
    *("digest", "seed", "until", "keep", "train", "also", "validation"),
    *("begin", "sparsity", "teacher", "temperature"),
)
"""What two specifications have in common if they come to the same weights."""
RunTrial = Callable[[TrialSpec, Path], Outcome]


def trained(run: RunTrial, spec: TrialSpec, folder: Path, *, trouble: str, remedy: str) -> Path:
    """The folder of a training that `train` brought to its end.

    Raises:
        DenseError: it did not come there; `trouble` and `remedy` begin and end the sentence.
    """
    outcome = train(run, spec, folder)
    if outcome.outcome != "complete":
        log = TrialFolder(folder).log
        raise DenseError(f"{trouble} ({outcome.cause}: {outcome.message}); see {log}, {remedy}")
    return folder


def train(run: RunTrial, spec: TrialSpec, folder: Path) -> Outcome:
    """Train what `spec` says, from where an earlier attempt left off; nothing if it is done.

    What memory or the machine ended is tried again as a trial of the search would be.

    Args:
        run: the engine's `run`.
        spec: its `attempt` and `halvings` are counted here.
        folder: of the training.

    Returns:
        How the last attempt ended: `complete`, `failed`, or `interrupted` by a stop. A training
        during which the driver died again and again without a new epoch has failed.
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
            f"remove {deaths.path} to try again",
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
    """How often the driver died during a training, without an epoch in between.

    The file is written before an attempt and removed when the driver sees its end.
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
        """Count this attempt as a death until it is seen to end."""
        epochs = self._folder.finished_epochs()
        write_atomically(self.path, json.dumps([self.count() + 1, epochs]))

    def end(self) -> None:
        """The driver lives."""
        self.path.unlink(missing_ok=True)


def finished(spec: TrialSpec, folder: Path) -> Outcome | None:
    """The outcome of this very training if it is complete and its weights are there."""
    result = Result.read(folder)
    if result is None or result.outcome != "complete" or not TrialFolder(folder).learnt.exists():
        return None
    try:
        kept = TrialSpec.read(folder)
    except DenseError:
        return None  # damaged, or of another version: trained again
    if any(getattr(kept, name) != getattr(spec, name) for name in SAME):
        return None
    return of_result(result) if result.answers(kept.attempt, kept.until) else None


def _attempts(folder: Path) -> int:
    """Attempts begun so far."""
    try:
        return TrialSpec.read(folder).attempt
    except DenseError:
        return 0
