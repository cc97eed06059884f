"""Everything that a run of the champion step is given, in one frozen object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conf.runtime.child_process import Stopping, never
from tasks.champion.training import RunTrial
from tasks.prepare import Prepared
from tasks.study.reader import StudyRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient

Note = Callable[[str, Mapping[str, Any]], None]
"""Writes a step of the champion and its facts to the journal."""


def no_note(step: str, facts: Mapping[str, Any]) -> None:
    """Write nothing: the step is not part of a run of the study."""


@dataclass(frozen=True)
class ChampionContext:
    """The inputs of the champion step, which every part of it reads and none changes."""

    record: StudyRecord
    """The study, read back from its journal."""
    prepared: Prepared
    """The study's data."""
    run: RunTrial
    """Trains one attempt of a spec: the trial engine's `run`."""
    client: MlflowClient
    """Of an MLflow server in which the experiment of the study exists."""
    note: Note = no_note
    """Called with a step's name and facts, to be written to the journal: `retested`, `decided`,
    `trained`, `scored`, `judged`, `crowned`. Facts that the journal already holds are skipped."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Additional tags of the champion's MLflow run."""
    stopping: Stopping = never
    """Whether the user asked to stop; polled while the final model is scored."""
