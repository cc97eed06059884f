"""One run of a study: what it holds open, and what it records as things happen.

The flow's main thread is the single writer of the journal. Trials run as tasks in threads of their
own and say through the session's inbox that they ended.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from conf.loading.digests import trial_digest
from conf.loading.trial_values import apply_values, values_of
from conf.runtime.errors import DenseError
from conf.runtime.home import Home
from conf.schema.search import Scalar
from conf.schema.study import Study, TrialConfig
from flows.study import retention
from flows.study.artifacts import ProgressArtifact, flow_run_page
from flows.study.attempts import AttemptMessage, TrainingJob, evaluated, training_job
from flows.study.checked_study import whole_values
from flows.study.display import StudyProgress
from flows.study.engines import AnyEngine, open_engine
from flows.study.gpu_sharing import measured_share, with_share
from flows.study.launch import StopSignal, current_launch, listening
from flows.study.progress import batch_words, first_words, next_words, progress_of
from tasks.prepare import Prepared
from tasks.report import format as words
from tasks.study import enqueued
from tasks.study.event_builders import asking, ending
from tasks.study.events import Attempt, Champion, Event, Promoted, Reason, Stopped, Target
from tasks.study.identity import JOURNAL_FILE
from tasks.study.lock import Holder
from tasks.study.policy import Action, Promote, Start, Stop, decide, raised
from tasks.study.state import State
from tasks.study.transfer_source import as_earlier, copy_earlier
from tasks.study.writer import OpenStudy
from tasks.suggest.types import Proposal
from tasks.track import experiment
from tasks.track.writer import Tracker
from tasks.train.engine.outcome import Outcome
from tasks.train.engine.recover import settle
from tasks.train.folder import TrialFolder

TICK_SECONDS = 0.5


class Session:
    """A study while it runs: journal, trial engine, MLflow record and display."""

    def __init__(
        self,
        home: Home,
        opened: OpenStudy,
        engine: AnyEngine,
        flow_run: str,
        wish: StopSignal,
        shown: ProgressArtifact,
    ) -> None:
        self.home = home
        self.opened = opened
        self.engine = engine
        self.flow_run = flow_run
        self.inbox: queue.SimpleQueue[AttemptMessage] = queue.SimpleQueue()
        self.started = self.decided = time.time()
        begun = opened.state.asked > 0
        self.earlier = as_earlier(copy_earlier(home, opened.study, begun=begun))
        """What earlier studies found, as it was when this one began."""
        self._warnings: set[str] = set()
        """Warnings of the search that this run has shown."""
        self.idle = True
        """Whether this run has trained nothing so far."""
        self._data: Prepared | None = None
        self._tracker: Tracker | None = None
        self._wish = wish
        self._shown = shown
        self._display = current_launch().display
        self._resources = ExitStack()

    @classmethod
    def open(cls, study: Study, *, more: int, flow_run: str) -> Self:
        """Take the study and open everything it needs; close it again if one of them fails.

        Raises:
            Held: another process drives the study.
            BadInput: another study has its name, its journal is bad, or MLflow does not answer.
        """
        home, launch = Home.open(), current_launch()
        experiment.check(home, study.name)
        with ExitStack() as stack:
            holder = Holder(os.getpid(), socket.gethostname(), time.time(), flow_run)
            # Before the lock: whoever is named in it as its holder can be told to stop.
            wish = stack.enter_context(listening(StopSignal(say=launch.display.print_line)))
            opened = stack.enter_context(OpenStudy.open(home, study, holder, time.time()))
            engine = open_engine(study, home, launch.server)
            stack.callback(engine.close)
            shown = stack.enter_context(ProgressArtifact(study.name, flow_run))
            session = cls(home, opened, engine, flow_run, wish, shown)
            wish.tell(engine.stop)
            session._raise_target(more)
            session.say(first_words(session.state, study, engine.slots, home.path))
            session.say_mended()
            session.doing("preparing the data")
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
        """Give everything back; a record that an error left open says that nobody runs any more."""
        if error is not None and self._tracker is not None:
            self._tracker.close(patience=0)
        self._resources.close()

    # What the session knows

    @property
    def study(self) -> Study:
        """The study's configuration in this run."""
        return self.opened.study

    @property
    def state(self) -> State:
        """What the study has come to."""
        return self.opened.state

    @property
    def stopping(self) -> bool:
        """Whether the user wants an end."""
        return self._wish.is_set

    @property
    def data(self) -> Prepared:
        """The study's data, once it is prepared."""
        if self._data is None:
            raise DenseError(f"the data of {self.study.name!r} was not prepared yet")
        return self._data

    @property
    def tracker(self) -> Tracker:
        """The record in MLflow, once the data is known."""
        if self._tracker is None:
            raise DenseError(f"the record of {self.study.name!r} was not begun yet")
        return self._tracker

    @property
    def page_is_old(self) -> bool:
        """Whether the study's page does not tell of all that the journal does, or is not there.

        A run before this one may have died between its last line and its page.
        """
        page, journal = self.home.report(self.study.name), self.opened.folder / JOURNAL_FILE
        return not page.exists() or page.stat().st_mtime_ns < journal.stat().st_mtime_ns

    def say(self, line: str) -> None:
        """Show a line to whoever watches."""
        self._display.print_line(line)

    def doing(self, what: str) -> None:
        """Show what is going on, until something else is."""
        self._display.set_status(what)

    def say_mended(self) -> None:
        """Say what opening the study has mended."""
        if torn := self.opened.torn:
            self.say(
                f"mended: the journal ended in the middle of a line; {words.count(torn, 'byte')} "
                "were cut, and what it said is done again"
            )

    # What happens

    def append(self, *lines: Event) -> None:
        """Record events in the journal, and let MLflow and the display follow."""
        self.opened.append(*lines)
        if self._tracker is not None:
            for line in lines:
                self._tracker.event(line, self.state)

    def begin_record(self, data: Prepared) -> None:
        """Begin the record in MLflow: the data that every trial's run names is known."""
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
        self.doing("")

    def end_record(self) -> str:
        """Write what MLflow lacks; a sentence about what it still lacks, empty if nothing."""
        self.doing("")
        self.tracker.close(self.study.tracking.patience)
        return self.tracker.complaint

    def settle(self) -> None:
        """Record how the attempts ended that a run before this one left open."""
        for number in list(self.state.running):
            trial = self.state.trials[number]
            folder = self.folder(number)
            wait = self.engine.lock_seconds
            outcome = settle(TrialFolder(folder), trial.attempt, trial.until or 1, wait=wait)
            if outcome.outcome in ("complete", "paused"):
                outcome = evaluated(folder, self.config(trial.values), outcome)
            self.ended(number, outcome)

    def pack(self) -> None:
        """Find out how many trials share a GPU, where the study leaves that open."""
        resources = self.study.resources
        if not self.engine.on_gpu:
            share = 1
        elif resources.gpu_share != "auto" or isinstance(self.next_action(), Stop):
            return
        else:
            self.doing("measuring the memory of a trial")
            share = measured_share(self.study, self.data, self.home, self.engine)
            self.say(f"{words.count(share, 'trial')} at a time on a GPU")
        self.opened.study = with_share(self.study, share)
        self.engine.use(self.study.resources)

    def next_action(self) -> Action:
        """What the policy says is to be done now."""
        for refusal in enqueued.collect(self.opened, self._check_values, time.time()):
            self.say(refusal)
        self.decided = time.time()
        return decide(
            self.state,
            self.study,
            slots=self.engine.slots,
            now=self.decided,
            started=self.started,
            stopping=self.stopping,
        )

    def asked(self, proposal: Proposal) -> None:
        """Record a batch; from here on its trials exist."""
        self.doing(batch_words(self.study, proposal))
        if proposal.warning and proposal.warning not in self._warnings:
            self._warnings.add(proposal.warning)
            self.say(f"batch {self.state.batches}: {proposal.warning}")
        now = time.time()
        seconds = max(now - self.decided, 0.0)  # a clock may be set back
        self.append(asking(self.state, proposal, self.digest, now, seconds))

    def promoted(self, promotion: Promote) -> None:
        """Record that paused trials go on."""
        now = time.time()
        self.append(
            *(Promoted(number=n, until=until, time=now) for n, until in promotion.promotions)
        )

    def begin(self, start: Start) -> TrainingJob:
        """Record that an attempt begins, and say what it is to do."""
        self.idle = False
        trial = self.state.trials[start.number]
        attempt = Attempt(
            number=start.number,
            attempt=start.attempt,
            until=start.until,
            epoch=trial.epoch,
            halvings=start.halvings,
            share=start.share,
            time=time.time(),
        )
        self.append(attempt)
        return training_job(self.study, self.data, trial, start, self.folder(start.number))

    def wait(self) -> None:
        """Wait until something ends, then record it."""
        with contextlib.suppress(queue.Empty):
            self.receive(self.inbox.get(timeout=TICK_SECONDS))
        self._display.update(self._progress())

    def _progress(self) -> StudyProgress:
        seconds = time.time() - self.started
        slots = self.engine.slots
        return progress_of(self.state, self.study, self.folder, slots=slots, seconds=seconds)

    def receive(self, message: AttemptMessage) -> None:
        """Record the outcome that the tasks of an attempt sent.

        Raises:
            DenseError: the engine failed, or the tasks ended without an outcome.
        """
        number, trial = message.number, self.state.trials[message.number]
        if message.outcome is not None:
            self.ended(number, message.outcome)
        elif message.error is not None:
            raise DenseError(f"trial {number} could not be run: {message.error}") from message.error
        elif trial.status == "running" and trial.attempt == message.attempt:
            raise DenseError(
                f"Prefect's tasks of trial {number} ended without reporting an outcome; "
                f"`dense run {self.study.name}` continues from its last checkpoint"
            )

    def ended(self, number: int, outcome: Outcome) -> None:
        """Record how an attempt ended."""
        wanted = self.study.evaluate
        self.append(*ending(self.state, number, outcome, time.time(), wanted))
        for warning in outcome.warnings:
            self.say(f"mended: trial {number}: {warning}")
        progress = self._progress()
        retention.bound(self.state, self.folder, self.study.resources)
        self._display.trial_ended(self.state.trials[number], progress)
        self._shown.show(progress)

    def note(self, step: str, facts: Mapping[str, Any]) -> None:
        """Record a step of the champion's way."""
        self.append(Champion(step=step, facts=dict(facts), time=time.time()))
        self.doing(next_words(step, facts))

    def tidy(self) -> None:
        """Remove from the disk what no one needs any more; say what the rest takes."""
        if used := retention.tidy(self.state, self.folder, self.study.resources):
            self.say(f"checkpoints and weights: {used / 2**20:.1f} MiB, the best's and the paused")

    def stopped(self, reason: Reason) -> Reason:
        """Record that the search came to its end in this run."""
        if self.state.stopped != reason:
            self.append(Stopped(reason=reason, time=time.time()))
        return reason

    # What follows from the configuration

    def folder(self, number: int) -> Path:
        """A trial's folder."""
        return self.home.trial(self.study.name, number, self.state.trials[number].digest)

    def config(self, values: Mapping[str, Scalar]) -> TrialConfig:
        """A trial's whole configuration."""
        return apply_values(self.study.trial_config, values)

    def digest(self, values: Mapping[str, Scalar]) -> str:
        """Identity of a configuration."""
        return trial_digest(self.config(values))

    def start_values(self) -> dict[str, Scalar]:
        """Trial 0: the settings as the YAML has them."""
        return values_of(self.study, self.study.trial_config)

    def _check_values(self, values: Mapping[str, Scalar]) -> None:
        """Refuse what the suggestion step could not be given: from the journal it never goes."""
        self.config(whole_values(self.study, values))

    def _raise_target(self, more: int) -> None:
        if more and self.flow_run not in self.state.keys:
            trials = raised(self.state, self.study, more)
            self.append(Target(trials=trials, key=self.flow_run, time=time.time()))
