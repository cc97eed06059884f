"""From a study's state to what its display shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.study.display import RunningTrial, StudyProgress
from tasks.report import format as words
from tasks.report.leaderboard import short
from tasks.study.policy import full_epochs, gpus_per_trial, target_trials
from tasks.study.state import State
from tasks.study.trial import Trial
from tasks.train.folder import TrialFolder

if TYPE_CHECKING:
    from conf.schema.study import Study
    from tasks.suggest.types import Proposal


def first_words(state: State, study: Study, slots: int, home: Path) -> str:
    """What a run says first: the study, how much of it is done, and where it is kept."""
    total = max(target_trials(state, study), state.asked)
    done = state.count("complete", "stopped", "failed", "paused")
    trials = words.count(total, "trial")
    many = f"{done} of {trials} done" if done else trials
    return f"study {study.name}: {many}, {slots} at a time, kept in {home}"


def next_words(step: str, facts: Mapping[str, Any]) -> str:
    """What follows a step of the champion's way; empty when nothing does."""
    if step == "decided" and facts.get("verdict") == "crown":
        return f"training trial {facts['trial']} again, on train and validation"
    follow = {"trained": "scoring it on the test part", "judged": "registering it"}
    return follow.get(step, "")


def batch_words(study: Study, proposal: Proposal) -> str:
    """What is to be expected of a batch and what it costs; empty where no model was asked."""
    found, many = proposal.forecast, len(proposal.suggestions)
    if found is None or not many:
        return ""
    text = f"next {words.count(many, 'trial')}: expected to gain {words.number(found.gain)}"
    if found.seconds is not None:
        text += f" for {words.duration(found.seconds)} of training"
        if price := study.stop.cost_per_gpu_hour:
            text += f" ({found.seconds / 3600 * gpus_per_trial(study) * price:.3g})"
    return f"{text}; left to gain {words.number(found.regret)}"


def progress_of(
    state: State, study: Study, folder: Callable[[int], Path], *, slots: int, seconds: float
) -> StudyProgress:
    """Where the study stands now.

    Args:
        state: of the study.
        study: its configuration.
        folder: a trial's folder by its number.
        slots: trials that run at once.
        seconds: since the start of this run.
    """
    done = state.count("complete", "stopped", "failed", "paused")
    total = max(target_trials(state, study), state.asked)
    epochs = {
        number: _epochs(study, state.trials[number], folder(number)) for number in state.running
    }
    left = total - done - sum(reached / full for reached, full in epochs.values())
    return StudyProgress(
        study=study.name,
        objective=study.evaluate.objective,
        total=total,
        done=done,
        failed=state.count("failed"),
        running={
            number: RunningTrial(f"epoch {reached}/{full}", state.trials[number].values)
            for number, (reached, full) in epochs.items()
        },
        best=state.best,
        seconds=seconds,
        seconds_left=_left(state, left, slots),
        headers=short(list(study.search.space)),
    )


def _epochs(study: Study, trial: Trial, folder: Path) -> tuple[int, int]:
    """Epochs that a running trial has finished, and those of a full one."""
    try:
        lines = TrialFolder(folder).metrics.read_bytes().count(b"\n")
    except FileNotFoundError:
        lines = 0
    return lines, full_epochs(study, trial)


def _left(state: State, trials: float, slots: int) -> float | None:
    """Seconds for the trials that are left, at the average of those that ended."""
    ended = [trial.seconds for trial in state.trials if trial.over and trial.seconds]
    if not ended or trials <= 0:
        return None
    return sum(ended) / len(ended) * trials / slots
