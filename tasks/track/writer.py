"""The driver's record: one thread that writes MLflow behind the study's back.

The driver says what changed and goes on; the thread reads journal state and trial folders and logs
what MLflow does not have. While MLflow is away the files are the queue: nothing is held here but
the numbers of the trials that have news.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from conf.home import Home
from conf.study import Study
from tasks.study.events import Event
from tasks.study.state import State
from tasks.track import experiment, project, sessions, store
from tasks.track.ledger import Ledger

POLL = 5.0  # seconds between looks at the curves of running trials
LONGEST_PAUSE = 15.0  # seconds between tries while MLflow is away

# MLflow's words for "this will not do, now or later"; all others may pass.
REFUSALS = frozenset(
    {
        "BAD_REQUEST",
        "INVALID_PARAMETER_VALUE",
        "INVALID_STATE",
        "RESOURCE_ALREADY_EXISTS",
        "RESOURCE_DOES_NOT_EXIST",
    }
)

Job = Callable[[], None]


class Tracker:
    """One study's record while a driver is at work.

    `update`, `event` and `artifact` are called from any thread and return at once. The writer
    thread alone talks to MLflow after `open`.
    """

    def __init__(self, ledger: Ledger, state: State, *, poll: float = POLL) -> None:
        self.ledger = ledger
        self._poll_seconds = poll
        self._state = state
        self._news = threading.Condition()
        self._trials: dict[int, bool] = {}  # number to whether it is written again if whole
        self._artifacts: list[tuple[Path, str | None]] = []
        self._parent_due = True
        self._closing = False
        self._abandoned = threading.Event()
        self._away: Exception | None = None
        self._refused: dict[int, Exception] = {}
        self._failed: list[str] = []
        self._sizes: dict[int, int] = {}
        self._thread = threading.Thread(target=self._run, name="mlflow-writer", daemon=True)

    @classmethod
    def open(
        cls,
        home: Home,
        study: Study,
        state: State,
        *,
        flow_run_id: str | None,
        data_key: str,
        now: float,
        poll: float = POLL,
    ) -> Tracker:
        """Start recording a study that the caller holds; what earlier runs left out is written.

        Args:
            home: where the study's files are.
            study: as configured for this run.
            state: what its journal has come to.
            flow_run_id: Prefect's id of the flow run.
            data_key: identity of the prepared data.
            now: seconds since the epoch, at or before the time of the next event.
            poll: seconds between looks at the curves of running trials.

        Raises:
            BadInput: MLflow does not answer, or cannot take this study's record.
        """
        experiment.check(home, study.name)
        session = sessions.Session(
            time=now, flow_run=flow_run_id, data_key=data_key, commit=sessions.commit()
        )
        sessions.append(home.study(study.name), session)
        known = sessions.read(home.study(study.name))
        facts = project.Facts(study, home.id, data_key, known)
        tracker = cls(Ledger.open(home, facts, state, live=True), state, poll=poll)
        tracker._trials = dict.fromkeys(range(state.asked), False)
        tracker._thread.start()
        return tracker

    @property
    def parent_run_id(self) -> str:
        """MLflow's id of the study's run."""
        return self.ledger.parent_run_id

    @property
    def experiment_id(self) -> str:
        """MLflow's id of the study's experiment."""
        return self.ledger.experiment_id

    @property
    def uri(self) -> str:
        """Where the record is."""
        return self.ledger.uri

    def event(self, event: Event, state: State) -> None:
        """Something was appended to the journal, which made the state what it is."""
        number = getattr(event, "number", None)
        with self._news:
            self._state = state
            if number is not None:
                self._trials.setdefault(number, False)
                self._news.notify()

    def update(self, number: int) -> None:
        """A trial's folder has news; it is written even if MLflow has its last word."""
        with self._news:
            self._trials[number] = True
            self._news.notify()

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Copy a file to the parent run's artifacts, into a folder there if one is named."""
        with self._news:
            self._artifacts.append((path, folder))
            self._news.notify()

    def close(self, patience: float) -> bool:
        """Write what is left and set the parent's terminal status.

        Waits as long as MLflow takes what it is given, and `patience` seconds for one that is away.

        Returns:
            Whether MLflow has everything; `complaint` says what it lacks.
        """
        with self._news:
            self._closing = self._parent_due = True
            for trial in self._state.trials:
                if trial.attempt and trial.status in ("queued", "running"):
                    self._trials.setdefault(trial.number, False)
            self._news.notify()
        begun = time.monotonic()
        while self._thread.is_alive():
            self._thread.join(0.1)
            if self._away is not None and time.monotonic() - begun >= patience:
                self._abandoned.set()
                break
        return not self.unwritten and not self._failed

    @property
    def unwritten(self) -> int:
        """Runs that MLflow does not have as the files have them."""
        with self._news:
            return len(self._trials.keys() | self._refused.keys()) + self._parent_due

    @property
    def complaint(self) -> str:
        """One sentence: what MLflow lacks, why, and how to go on. Empty when it has everything."""
        if not self.unwritten and not self._failed:
            return ""
        error = self._away or next(iter(self._refused.values()), None)
        why = store.short(error) if error else "; ".join(self._failed) or "its answer is awaited"
        name = self.ledger.facts.study.name
        return (
            f"{self.unwritten} runs of {name!r} are not whole in MLflow at {self.uri} ({why}); "
            f"nothing is lost: `dense sync {name}` writes them from {self.ledger.home.path}"
        )

    def _run(self) -> None:
        pause = 0.0
        while not self._abandoned.wait(pause):
            job = self._next()
            if job is None:
                return
            self._away = self._attempt(job)
            pause = 0.0 if self._away is None else min(LONGEST_PAUSE, max(0.5, 2 * pause))

    def _attempt(self, job: Job) -> Exception | None:
        """Do a job; the error when MLflow is away and the job is to be done again."""
        try:
            job()
        except Away as away:
            return away.error
        return None

    def _next(self) -> Job | None:
        """What to write now, waiting for it; None when everything is written and closed."""
        with self._news:
            while True:
                if self._parent_due and not self._closing:
                    self._parent_due = False
                    return self._write_parent
                if self._trials:
                    number = next(iter(self._trials))
                    return partial(self._write, number, self._trials.pop(number))
                if self._artifacts:
                    return partial(self._copy, *self._artifacts.pop(0))
                if self._parent_due:
                    self._parent_due = False
                    return self._write_parent
                if self._closing:
                    return None
                if not self._news.wait(self._poll_seconds):
                    self._look()

    def _look(self) -> None:
        """Find running trials whose curve has grown; called with the lock held."""
        for number in self._state.running:
            path = self.ledger.files(self._state.trials[number]).metrics
            try:
                size = path.stat().st_size
            except OSError:
                continue  # its first epoch is not over
            if size != self._sizes.get(number):
                self._sizes[number] = size
                self._trials.setdefault(number, False)

    def _write(self, number: int, again: bool) -> None:
        with self._news:
            trial, live = self._state.trials[number], not self._closing
        try:
            self.ledger.write(trial, live=live, again=again)
        except Exception as error:  # whatever a store or a damaged folder raises
            if _is_away(error):
                with self._news:
                    self._trials[number] = again or self._trials.get(number, False)
                raise Away(error) from error
            self._refuse(number, error, again)
        else:
            with self._news:
                self._refused.pop(number, None)

    def _refuse(self, number: int, error: Exception, again: bool) -> None:
        """Note what MLflow does not take; a run that somebody deleted is made anew, once."""
        with self._news:
            if number not in self._refused:
                self.ledger.forget()
                self._trials[number] = again
            self._refused[number] = error

    def _copy(self, path: Path, folder: str | None) -> None:
        try:
            self.ledger.artifact(path, folder)
        except Exception as error:  # as above
            if _is_away(error) and path.exists():
                with self._news:
                    self._artifacts.insert(0, (path, folder))
                raise Away(error) from error
            self._failed.append(f"{path.name}: {store.short(error)}")

    def _write_parent(self) -> None:
        with self._news:
            state, live = self._state, not self._closing
        try:
            self.ledger.write_study(state, live=live)
        except Exception as error:  # as above
            if not _is_away(error):
                self._failed.append(f"the study's own run: {store.short(error)}")
                return
            with self._news:
                self._parent_due = True
            raise Away(error) from error


class Away(Exception):
    """MLflow did not answer; what was to be written is still to be written."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _is_away(error: Exception) -> bool:
    """Whether the same call may succeed later."""
    code = getattr(error, "error_code", None)
    if code is None:
        return isinstance(error, OSError)
    return code not in REFUSALS
