"""One run of a study: the resources that it holds open, and its steps between two decisions.

The flow's main thread is the single writer of the journal. Trials run as tasks in threads of their
own and report their outcome through the session's inbox.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from conf.loading.trial_values import apply_values
from conf.runtime.errors import DenseError
from conf.runtime.home import Home
from conf.schema.search import Scalar
from conf.schema.study import Study
from flows.study import retention
from flows.study.artifacts import ProgressArtifact, flow_run_page
from flows.study.attempts import AttemptMessage, TrainingJob, evaluated, training_job
from flows.study.checked_study import whole_values
from flows.study.display import Display, StudyProgress
from flows.study.engines import measured_share, open_engine, with_share
from flows.study.journal import StudyJournal
from flows.study.launch import StopSignal, current_launch, handling_signals
from flows.study.listeners import ArtifactListener, DiskLimit, DisplayListener
from flows.study.progress import batch_words, first_words, progress_of
from tasks.prepare import Prepared
from tasks.report import format as words
from tasks.study.lock import Holder
from tasks.study.policy import Action, Start, Stop, decide
from tasks.study.state import State
from tasks.study.transfer_source import as_earlier_trials, copy_source_trials
from tasks.study.writer import OpenStudy
from tasks.suggest.types import EarlierTrial, Proposal
from tasks.track import experiment
from tasks.track.writer import Tracker
from tasks.train.engine.engine import Engine
from tasks.train.engine.recover import settle
from tasks.train.folder import TrialFolder

TICK_SECONDS = 0.5


class StudySession:
    """A study while it runs: journal, trial engine, MLflow record and display.

    Life, in call order:

    1. `open` takes the study; leaving the `with` block gives everything back.
    2. `begin_record` once the data is prepared, then `recover_attempts` and `measure_gpu_share`.
    3. `next_action`, and what it asks for: `asked`, `begin`, `wait`, or an event of `journal`.
    4. `free_disk`, and `end_record` before the flow run reports its last state.
    """

    def __init__(
        self,
        home: Home,
        opened: OpenStudy,
        engine: Engine,
        display: Display,
        stop: StopSignal,
        *,
        flow_run: str,
        earlier: tuple[EarlierTrial, ...] = (),
        data: Prepared | None = None,
    ) -> None:
        self.home = home
        self.journal = StudyJournal(opened)
        self.engine = engine
        self.display = display
        self.flow_run = flow_run
        self.earlier = earlier
        """Trials of the transfer sources, as they were when the study began."""
        self.inbox: queue.SimpleQueue[AttemptMessage] = queue.SimpleQueue()
        self.idle = True
        """Whether this run has trained nothing so far."""
        self._warnings: set[str] = set()
        """Warnings of the search that this run has printed."""
        self._stop = stop
        self._started = self._decided = time.time()
        self._data = data
        self._tracker: Tracker | None = None
        self._resources = ExitStack()

    @classmethod
    def open(cls, study: Study, *, more: int, flow_run: str) -> Self:
        """Take the study and open everything it needs; close it again if one of them fails.

        Args:
            study: its configuration in this run.
            more: trials beyond the last target.
            flow_run: Prefect's id of the flow run.

        Raises:
            Held: another process drives the study.
            BadInput: another study has its name, its journal is bad, or MLflow does not answer.
        """
        home, launch = Home.open(), current_launch()
        display = launch.display
        experiment.check(home, study.name)
        with ExitStack() as stack:
            holder = Holder(os.getpid(), socket.gethostname(), time.time(), flow_run)
            # Before the lock: the process that it names as holder must react to a stop signal.
            stop = stack.enter_context(handling_signals(StopSignal(display.print_line)))
            opened = stack.enter_context(OpenStudy.open(home, study, holder, time.time()))
            engine = open_engine(study, home, launch.server)
            stack.callback(engine.close)
            artifact = stack.enter_context(ProgressArtifact(study.name, flow_run))
            earlier = as_earlier_trials(
                copy_source_trials(home, study, begun=opened.state.asked > 0)
            )
            session = cls(home, opened, engine, display, stop, flow_run=flow_run, earlier=earlier)
            opened.subscribe(DiskLimit(session.journal))
            opened.subscribe(DisplayListener(display, session.progress))
            opened.subscribe(ArtifactListener(artifact, session.progress))
            stop.on_stop(engine.stop)
            session.journal.raise_target(more, flow_run)
            display.print_line(first_words(session.state, study, engine.slots, home.path))
            if opened.torn:
                display.print_line(
                    "mended: the journal ended in the middle of a line; "
                    f"{words.count(opened.torn, 'byte')} were cut, and that step is done again"
                )
            display.set_status("preparing the data")
            session._resources = stack.pop_all()
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release everything; after an error, MLflow is still told that no trial runs."""
        if error is not None and self._tracker is not None:
            self._tracker.close(patience=0)
        self._resources.close()

    @property
    def study(self) -> Study:
        """The study's configuration in this run."""
        return self.journal.study

    @property
    def state(self) -> State:
        """The state after the last event of the journal."""
        return self.journal.state

    @property
    def stopping(self) -> bool:
        """Whether the user asked to stop."""
        return self._stop.is_set

    @property
    def data(self) -> Prepared:
        """The study's data, once it is prepared."""
        if self._data is None:
            raise DenseError(f"the data of {self.study.name!r} is not prepared yet")
        return self._data

    @property
    def tracker(self) -> Tracker:
        """The record in MLflow, once `begin_record` was called."""
        if self._tracker is None:
            raise DenseError(f"the record of {self.study.name!r} has not begun yet")
        return self._tracker

    def progress(self) -> StudyProgress:
        """How far the study is now."""
        return progress_of(
            self.state,
            self.study,
            self.journal.trial_folder,
            slots=self.engine.slots,
            seconds=time.time() - self._started,
        )

    def begin_record(self, data: Prepared) -> None:
        """Begin the record in MLflow; every trial's run names the prepared data."""
        self._data = data
        self._tracker = Tracker.open(
            self.home,
            self.study,
            self.state,
            flow_run_id=self.flow_run,
            flow_run_page=flow_run_page(self.flow_run),
            data_key=data.key,
            now=time.time(),
        )
        self.journal.opened.subscribe(self._tracker)
        self.display.set_status("")

    def end_record(self) -> str:
        """Write what MLflow lacks; a sentence about what it still lacks, empty if nothing."""
        self.display.set_status("")
        self.tracker.close(self.study.tracking.patience)
        return self.tracker.complaint

    def recover_attempts(self) -> None:
        """Record the outcome of the attempts that an earlier run left without one."""
        for number in list(self.state.running):
            trial = self.state.trials[number]
            folder = self.journal.trial_folder(number)
            wait = self.engine.lock_seconds
            outcome = settle(TrialFolder(folder), trial.attempt, trial.until or 1, wait=wait)
            if outcome.outcome in ("complete", "paused"):
                config = apply_values(self.study.trial_config, trial.values)
                outcome = evaluated(folder, config, outcome)
            self.receive(AttemptMessage(number, trial.attempt, outcome))

    def measure_gpu_share(self) -> None:
        """Measure how many trials share a GPU, where the study leaves that open."""
        resources = self.study.resources
        if not self.engine.on_gpu:
            share = 1
        elif resources.gpu_share != "auto" or isinstance(self.next_action(), Stop):
            return
        else:
            self.display.set_status("measuring the memory of a trial")
            share = measured_share(self.study, self.data, self.home, self.engine)
            self.display.print_line(f"{words.count(share, 'trial')} at a time on a GPU")
        self.journal.opened.study = with_share(self.study, share)
        self.engine.use(self.study.resources)

    def next_action(self) -> Action:
        """Decide what the run does now, after recording what was enqueued meanwhile."""
        for refusal in self.journal.collect_enqueued(self._check_enqueued):
            self.display.print_line(refusal)
        self._decided = time.time()
        return decide(
            self.state,
            self.study,
            slots=self.engine.slots,
            now=self._decided,
            started=self._started,
            stopping=self.stopping,
        )

    def asked(self, proposal: Proposal) -> None:
        """Show the forecast and a new warning of a batch, and record the batch."""
        self.display.set_status(batch_words(self.study, proposal))
        if proposal.warning and proposal.warning not in self._warnings:
            self._warnings.add(proposal.warning)
            self.display.print_line(f"batch {self.state.batches}: {proposal.warning}")
        self.journal.asked(proposal, since=self._decided)

    def begin(self, start: Start) -> TrainingJob:
        """Record that an attempt begins, and return its job."""
        self.idle = False
        self.journal.attempt(start)
        trial, folder = self.state.trials[start.number], self.journal.trial_folder(start.number)
        return training_job(self.study, self.data, trial, start, folder)

    def wait(self) -> None:
        """Wait for a message of an attempt, at most one tick, and redraw the display."""
        with contextlib.suppress(queue.Empty):
            self.receive(self.inbox.get(timeout=TICK_SECONDS))
        self.display.update(self.progress())

    def receive(self, message: AttemptMessage) -> None:
        """Record the outcome that the tasks of an attempt sent.

        Raises:
            DenseError: the engine failed, or the tasks ended without an outcome.
        """
        number, trial = message.number, self.state.trials[message.number]
        if message.outcome is not None:
            for warning in message.outcome.warnings:
                self.display.print_line(f"mended: trial {number}: {warning}")
            self.journal.ended(number, message.outcome)
        elif message.error is not None:
            raise DenseError(f"trial {number} could not be run: {message.error}") from message.error
        elif trial.status == "running" and trial.attempt == message.attempt:
            raise DenseError(
                f"Prefect's tasks of trial {number} ended without reporting an outcome; "
                f"`dense run {self.study.name}` continues from its last checkpoint"
            )

    def free_disk(self) -> None:
        """Remove the weights and checkpoints that no later step reads; print what the rest take."""
        folder = self.journal.trial_folder
        if used := retention.free_disk(self.state, folder, self.study.resources):
            self.display.print_line(
                f"checkpoints and weights: {used / 2**20:.1f} MiB, of the best and the paused"
            )

    def _check_enqueued(self, values: Mapping[str, Scalar]) -> None:
        """Refuse what the suggestion step could not try: a recorded request stays for good.

        Raises:
            BadInput: a value is outside the space, or the configuration is not valid.
        """
        apply_values(self.study.trial_config, whole_values(self.study, values))
