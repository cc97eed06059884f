"""A study opened by the process that drives it: lock, `study.json`, journal and state together."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from conf.loading.digests import study_identity
from conf.runtime.atomic_write import write_atomically
from conf.runtime.closeable import Closing
from conf.runtime.errors import BadInput, DenseError
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.study.events import Asked, Changed, Event
from tasks.study.identity import (
    DATA_FILE,
    JOURNAL_FILE,
    STUDY_FILE,
    changed_settings,
    check_identity,
    stored_study,
    study_json,
)
from tasks.study.journal import Journal, read
from tasks.study.lock import Holder, held_by, holder_of, lock_study
from tasks.study.replay import apply, fold_file
from tasks.study.state import State
from tasks.study.transfer_source import source_trials


class Listener(Protocol):
    """Follows the journal of an open study: a display, a tracker, a limit on disk use."""

    def event(self, event: Event, state: State) -> None:
        """Called for each event, in the order of the journal, once it is on disk.

        Args:
            event: the event.
            state: after all events of the same append.
        """


class OpenStudy(Closing):
    """The single writer of a study's journal. Close it, or use it as a context manager.

    Not thread-safe: one thread appends, and the listeners are called in it.
    """

    def __init__(
        self,
        home: Home,
        study: Study,
        lock: FileLock,
        journal: Journal,
        state: State,
        torn: int = 0,
    ) -> None:
        self.home = home
        self.study = study
        self.folder = home.study(study.name)
        self.state = state
        self.torn = torn
        """Bytes of a torn last line that were cut from the journal on opening."""
        self._lock = lock
        self._journal = journal
        self._listeners: list[Listener] = []

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
        lock = lock_study(folder / "lock", holder)
        try:
            first = begun_study(folder, study) or _begin(folder, study)
            journal, events, torn = Journal.open(folder / JOURNAL_FILE)
        except BaseException:
            lock.close()
            raise
        opened = cls(home, study, lock, journal, State(study.evaluate.direction), torn)
        try:
            opened.state = fold_file(journal.path, events, study.evaluate.direction)
            if changes := changed_settings(first, opened.state.changes, study):
                opened.append(Changed(changes=changes, time=now))
        except BaseException:
            opened.close()
            raise
        return opened

    def subscribe(self, listener: Listener) -> None:
        """Call a listener with every event from now on."""
        self._listeners.append(listener)

    def append(self, *events: Event) -> State:
        """Record events, tell the listeners, and return the state after them.

        Where one event does not fit, none is written.

        Raises:
            BadInput: an event does not fit the state.
            DenseError: the disk is full or fails; nothing was recorded.
        """
        state = self.state
        for event in events:
            state = apply(state, event)
        self._journal.append(*events)
        self.state = state
        for event in events:
            for listener in self._listeners:
                listener.event(event, state)
        return state

    def close(self) -> None:
        """Close the journal and release the lock."""
        self._journal.close()
        self._lock.close()


def check_can_open(home: Home, study: Study) -> None:
    """Check that `OpenStudy.open` would succeed now, without taking the study or changing it.

    Raises:
        Held: another process drives it.
        BadInput: another study has this name, the journal has a bad line, or a transfer source
            cannot be used.
    """
    folder = home.study(study.name)
    if holder := holder_of(folder / "lock"):
        raise held_by(holder, study.name)
    if begun_study(folder, study) is None:
        source_trials(home, study)


def begun_study(folder: Path, study: Study) -> Study | None:
    """The study of a folder as it was at its first run, checked to be this one; None before that.

    Before the first `asked` event (its data could not be used, say) another study may still take
    the folder: there is no trial to compare with.

    Raises:
        BadInput: another study was begun there, or the journal has a bad line.
    """
    first, path = stored_study(folder), folder / JOURNAL_FILE
    if first is None:
        if path.exists():
            raise BadInput(
                f"{folder} has a journal but no study.json; restore it from a copy, "
                "or start the study under another name"
            )
        return None
    events, _ = read(path)
    fold_file(path, events, first.evaluate.direction)
    if any(isinstance(event, Asked) for event in events):
        check_identity(first, study, folder)
        return first
    return first if study_identity(first) == study_identity(study) else None


def _begin(folder: Path, study: Study) -> Study:
    """Write `study.json`, and forget the prepared data of a study that never asked a trial."""
    try:
        (folder / DATA_FILE).unlink(missing_ok=True)
        write_atomically(folder / STUDY_FILE, study_json(study))
    except OSError as error:
        raise DenseError(f"{folder} cannot be written ({error}); check the disk") from error
    return study
