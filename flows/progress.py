"""From a study's state to what its display shows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flows.display import Ended, Progress
from tasks.study.policy import full_epochs, wanted
from tasks.study.trial import Trial
from tasks.train.folder import TrialFolder

if TYPE_CHECKING:
    from flows.session import Session


def shown_end(trial: Trial) -> Ended:
    """A trial whose attempt ended, as a line of the display."""
    outcome: str = trial.status
    if trial.status == "queued":
        outcome = "again" if trial.cause else "saved"
    note = f"{trial.cause}: {trial.message}" if trial.cause else trial.message
    return Ended(trial.number, outcome, trial.value, trial.seconds, note, trial.values)


def progress_of(session: Session) -> Progress:
    """Where the study stands now."""
    state, study = session.state, session.study
    done = state.count("complete", "stopped", "failed", "paused")
    total = max(wanted(state, study), state.asked)
    return Progress(
        study=study.name,
        objective=study.evaluate.objective,
        total=total,
        done=done,
        failed=state.count("failed"),
        running={number: _where(session, number) for number in state.running},
        best=shown_end(state.best) if state.best else None,
        seconds=time.time() - session.started,
        seconds_left=_left(session, total - done),
    )


def _where(session: Session, number: int) -> str:
    trial = session.state.trials[number]
    try:
        lines = TrialFolder(session.folder(number)).metrics.read_bytes().count(b"\n")
    except FileNotFoundError:
        lines = 0
    return f"epoch {lines}/{full_epochs(session.study, trial)}"


def _left(session: Session, trials: int) -> float | None:
    """Seconds for the trials that are left, at the average of those that ended."""
    ended = [trial.seconds for trial in session.state.trials if trial.over and trial.seconds]
    if not ended or trials <= 0:
        return None
    return sum(ended) / len(ended) * trials / session.slots
