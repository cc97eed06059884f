"""The driver's record: one thread that writes MLflow behind the study's back.

The driver says what changed and goes on; the thread reads journal state and trial folders and logs
what MLflow does not have. While MLflow is away the files are the queue: nothing is held here but
the numbers of the trials that have news.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from conf.runtime.home import Home
from conf.runtime.provenance import environment
from conf.schema.study import Study
from tasks.study.events import Event
from tasks.study.state import State
from tasks.track import experiment, project, sessions, store
from tasks.track.ledger import Ledger
from tasks.track.pending import ArtifactJob, Job, ParentJob, Pending, TrialJob

POLL = 3.0  # seconds between looks at running trials
LONGEST_PAUSE = 15.0  # seconds between tries while MLflow is away


class Tracker:
    """One study's record while a driver is at work.

    `update`, `event` and `artifact` are called from any thread and return at once. The writer
    thread alone talks to MLflow after `open`.
    """

    def __init__(self, ledger: Ledger, state: State, *, poll: float = POLL) -> None:
        self.ledger = ledger
        self._state = state
        self._poll = poll
        self._pending = Pending(range(state.asked))
        self._abandoned = threading.Event()
        self._away: Exception | None = None
        self._doing: Job | None = None
        self._refused: dict[Job, Exception] = {}
        self._sizes: dict[int, int] = {}
        self._next_look = time.monotonic() + poll
        self._thread = threading.Thread(target=self._run, name="mlflow-writer", daemon=True)

    @classmethod
    def open(
        cls,
        home: Home,
        study: Study,
        state: State,
        *,
        flow_run_id: str | None,
        flow_run_page: str | None = None,
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
            flow_run_page: where a browser finds it.
            data_key: identity of the prepared data.
            now: seconds since the epoch, at or before the time of the next event.
            poll: seconds between looks at the curves of running trials.

        Raises:
            BadInput: MLflow does not answer, or cannot take this study's record.
        """
        experiment.check(home, study.name)
        session = sessions.SessionRecord(
            time=now,
            flow_run=flow_run_id,
            flow_run_page=flow_run_page,
            data_key=data_key,
            commit=sessions.commit(),
            environment=environment(),
        )
        sessions.append(home.study(study.name), session)
        known = sessions.read(home.study(study.name))
        facts = project.Facts(study, home.id, data_key, known)
        tracker = cls(Ledger.open(home, facts, state, live=True), state, poll=poll)
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

    def report_path(self, name: str) -> str:
        """Where MLflow's pages show a file of the parent run, below the server's address."""
        return self.ledger.report_path(name)

    def event(self, event: Event, state: State) -> None:
        """Something was appended to the journal, which made the state what it is."""
        self._state = state
        number = getattr(event, "number", None)
        if number is not None and event.event != "attempt":  # for those, see `_look`
            self._pending.add(TrialJob(number))

    def update(self, number: int) -> None:
        """A trial's folder has news; it is written even if MLflow has its last word."""
        self._pending.add(TrialJob(number, again=True))

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Copy a file to the parent run's artifacts, into a folder there if one is named."""
        self._pending.add(ArtifactJob(path, folder))

    def close(self, patience: float) -> bool:
        """Write what is left and set the parent's terminal status.

        Waits as long as MLflow takes what it is given, and `patience` seconds for one that is away.

        Returns:
            Whether MLflow has everything; `complaint` says what it lacks.
        """
        unfinished = ("queued", "running")
        trials = [t for t in self._state.trials if t.attempt and t.status in unfinished]
        self._pending.close(trial.number for trial in trials)
        begun = time.monotonic()
        while self._thread.is_alive():
            self._thread.join(0.1)
            if self._away is not None and time.monotonic() - begun >= patience:
                self._abandoned.set()
                break
        return not self.unwritten

    @property
    def unwritten(self) -> int:
        """Runs and files that MLflow does not have as the home has them."""
        return len(self._pending) + len(self._refused) + (self._doing is not None)

    @property
    def complaint(self) -> str:
        """One sentence: what MLflow lacks, why, and how to go on. Empty when it has everything."""
        count = self.unwritten
        if not count:
            return ""
        error = self._away or next(iter(self._refused.values()), None)
        why = store.short(error) if error else "its answer is awaited"
        name = self.ledger.facts.study.name
        return (
            f"{count} {'part' if count == 1 else 'parts'} of the record of {name!r} did not reach "
            f"MLflow at {store.shown(self.uri)} ({why}); nothing is lost: `dense sync {name}` "
            f"writes it from {self.ledger.home.path}"
        )

    def _run(self) -> None:
        pause = 0.0
        while not self._abandoned.wait(pause):
            job = self._pending.take(self._next_look - time.monotonic())
            if time.monotonic() >= self._next_look:
                self._look()
            if job is None:
                if self._pending.closing and not len(self._pending):  # not closed since the take
                    return
                continue
            self._attempt(job)
            pause = 0.0 if self._away is None else min(LONGEST_PAUSE, max(0.5, 2 * pause))

    def _attempt(self, job: Job) -> None:
        self._doing = job
        try:
            self._do(job)
        except Exception as error:  # whatever a store or a damaged folder raises
            if store.is_away(error):
                self._pending.add(job)
                self._away = error
            else:
                self._refuse(job, error)
                self._away = None
        else:
            self._refused.pop(job, None)
            self._away = None
        self._doing = None

    def _do(self, job: Job) -> None:
        state, live = self._state, not self._pending.closing
        match job:
            case TrialJob(number, again):
                self.ledger.write(state.trials[number], live=live, again=again)
            case ArtifactJob(path, folder):
                self.ledger.artifact(path, folder)
            case ParentJob():
                self.ledger.write_study(state, live=live)

    def _refuse(self, job: Job, error: Exception) -> None:
        """Note what MLflow does not take; a run that somebody deleted is made anew, once."""
        if isinstance(job, TrialJob) and job not in self._refused:
            self.ledger.forget()
            self._pending.add(job)
        self._refused[job] = error

    def _look(self) -> None:
        """Find running trials that are new, or whose curve has grown.

        Of a trial that begins MLflow is told here, not at once: one that is over within seconds is
        written in one go, for half of what it costs to write its begin and its end.
        """
        self._next_look = time.monotonic() + self._poll
        state = self._state
        for number in state.running:
            path = self.ledger.files(state.trials[number]).metrics
            try:
                size = path.stat().st_size
            except OSError:
                size = 0  # its first epoch is not over
            if size != self._sizes.get(number):
                self._sizes[number] = size
                self._pending.add(TrialJob(number))
