"""A study opened by the process that drives it: lock, `study.json`, journal and state together."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from conf.errors import BadInput, DenseError
from conf.home import Home, write_atomically
from conf.study import Study
from tasks.study.events import Changed, Event
from tasks.study.fold import apply, fold_file
from tasks.study.identity import (
    JOURNAL_FILE,
    STUDY_FILE,
    dumped,
    refuse_another,
    settings_changed,
    stored_study,
)
from tasks.study.journal import Journal
from tasks.study.lock import Holder, StudyLock
from tasks.study.state import State


class OpenStudy:
    """The single writer of a study's journal. Close it, or use it as a context manager.

    Not thread-safe: one thread appends.
    """

    def __init__(
        self, study: Study, folder: Path, lock: StudyLock, journal: Journal, state: State, torn: int
    ) -> None:
        self.study = study
        self.folder = folder
        self.state = state
        self.torn = torn
        """Bytes of a torn last line that were cut from the journal on opening."""
        self._lock = lock
        self._journal = journal

    @classmethod
    def open(cls, home: Home, study: Study, holder: Holder, now: float) -> OpenStudy:
        """Take the lock, check that it is the same study, and fold its journal.

        Creates the study's folder at its first run. Settings outside its identity that differ from
        the run before become a `changed` line.

        Raises:
            Held: another process drives it.
            BadInput: another study has this name, or the journal has a bad line.
        """
        folder = home.study(study.name)
        lock = StudyLock.take(folder / "lock", holder)
        try:
            first = _settled_file(folder, study)
            journal, events, torn = Journal.open(folder / JOURNAL_FILE)
        except BaseException:
            lock.release()
            raise
        opened = cls(study, folder, lock, journal, State(study.evaluate.direction), torn)
        try:
            opened.state = fold_file(journal.path, events, study.evaluate.direction)
            if changes := settings_changed(first, opened.state.changes, study):
                opened.append(Changed(changes=changes, time=now))
        except BaseException:
            opened.close()
            raise
        return opened

    def append(self, *events: Event) -> State:
        """Record events and give the state after them; what does not fit is not written.

        Raises:
            BadInput: an event does not fit the state.
            DenseError: the disk is full or fails; nothing was recorded.
        """
        state = self.state
        for event in events:
            state = apply(state, event)
        self._journal.append(*events)
        self.state = state
        return state

    def close(self) -> None:
        """Give the study back."""
        self._journal.close()
        self._lock.release()

    def __enter__(self) -> OpenStudy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _settled_file(folder: Path, study: Study) -> Study:
    """The study as it was begun, checked to be this one; written at its first run."""
    first = stored_study(folder)
    if first is None:
        if (folder / JOURNAL_FILE).exists():
            raise BadInput(
                f"{folder} has a journal but no study.json; restore it from a copy, "
                "or start the study under another name"
            )
        try:
            write_atomically(folder / STUDY_FILE, dumped(study))
        except OSError as error:
            raise DenseError(f"{folder} cannot be written ({error}); see to the disk") from error
        return study
    refuse_another(first, study, folder)
    return first
