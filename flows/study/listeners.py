"""What follows each event of a running study: its display, its Prefect artifact, its disk limit.

The MLflow tracker is one more listener, in `tasks/track/writer.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from flows.study import retention
from flows.study.artifacts import ProgressArtifact
from flows.study.display import Display, StudyProgress
from flows.study.journal import StudyJournal
from flows.study.progress import next_words
from tasks.study.events import Champion, Event, Finished, Interrupted
from tasks.study.state import State


class DiskLimit:
    """Keeps the trials within `resources.disk_gib` whenever an attempt has ended."""

    def __init__(self, journal: StudyJournal) -> None:
        self._journal = journal

    def event(self, event: Event, state: State) -> None:
        """Remove checkpoints and weights beyond the limit, those of the worst trials first."""
        if isinstance(event, Finished | Interrupted):
            journal = self._journal
            retention.enforce_limit(state, journal.trial_folder, journal.study.resources)


class DisplayListener:
    """Shows ended trials, and the step of the champion that comes next."""

    def __init__(self, display: Display, progress: Callable[[], StudyProgress]) -> None:
        self._display = display
        self._progress = progress

    def event(self, event: Event, state: State) -> None:
        """Show what an event changes for a reader of the terminal."""
        match event:
            case Finished() | Interrupted():
                self._display.trial_ended(state.trials[event.number], self._progress())
            case Champion():
                self._display.set_status(next_words(event.step, event.facts))


class ArtifactListener:
    """Shows the progress on the page of the flow run."""

    def __init__(self, artifact: ProgressArtifact, progress: Callable[[], StudyProgress]) -> None:
        self._artifact = artifact
        self._progress = progress

    def event(self, event: Event, state: State) -> None:
        """Show the progress after an ended attempt."""
        if isinstance(event, Finished | Interrupted):
            self._artifact.show(self._progress())
