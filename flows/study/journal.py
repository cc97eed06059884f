"""The events that a run records, each with the time at which it happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import JsonValue

from conf.loading.digests import trial_digest
from conf.loading.trial_values import apply_values
from conf.schema.search import Scalar
from conf.schema.study import Study
from tasks.study import enqueued
from tasks.study.event_builders import asked_event, end_events
from tasks.study.events import Attempt, Champion, Promoted, Reason, Stopped, Target
from tasks.study.policy import Promote, Start, raised_target
from tasks.study.state import State
from tasks.study.writer import OpenStudy
from tasks.suggest.types import Proposal
from tasks.train.engine.outcome import Outcome


class StudyJournal:
    """Writes what happens in a run to the journal of its open study.

    Each method returns once its events are on disk and the listeners of the study have them.
    """

    def __init__(self, opened: OpenStudy, clock: Callable[[], float] = time.time) -> None:
        self.opened = opened
        self._clock = clock

    @property
    def study(self) -> Study:
        """The study's configuration in this run."""
        return self.opened.study

    @property
    def state(self) -> State:
        """The state after the last event."""
        return self.opened.state

    def asked(self, proposal: Proposal, since: float) -> None:
        """Record a batch that was suggested from `since` on; from here on its trials exist."""

        def digest(values: Mapping[str, Scalar]) -> str:
            return trial_digest(apply_values(self.study.trial_config, values))

        now = self._clock()
        seconds = max(now - since, 0.0)  # a clock may be set back
        self.opened.append(asked_event(self.state, proposal, digest, now, seconds))

    def promoted(self, promotion: Promote) -> None:
        """Record that paused trials continue."""
        now = self._clock()
        self.opened.append(
            *(Promoted(number=n, until=until, time=now) for n, until in promotion.promotions)
        )

    def attempt(self, start: Start) -> None:
        """Record that an attempt begins, before its process starts."""
        event = Attempt(
            number=start.number,
            attempt=start.attempt,
            until=start.until,
            epoch=self.state.trials[start.number].epoch,
            halvings=start.halvings,
            share=start.share,
            time=self._clock(),
        )
        self.opened.append(event)

    def ended(self, number: int, outcome: Outcome) -> None:
        """Record the outcome of a trial's attempt."""
        evaluate = self.study.evaluate
        self.opened.append(*end_events(self.state, number, outcome, self._clock(), evaluate))

    def champion_step(self, step: str, facts: Mapping[str, JsonValue]) -> None:
        """Record a step of the champion: re-test, score, gate decision, registration."""
        self.opened.append(Champion(step=step, facts=dict(facts), time=self._clock()))

    def stopped(self, reason: Reason) -> Reason:
        """Record why the search ended in this run; the reason again."""
        if self.state.stopped != reason:
            self.opened.append(Stopped(reason=reason, time=self._clock()))
        return reason

    def raise_target(self, more: int, key: str) -> None:
        """Record that `more` trials are wanted; once per `key`, also in a retried flow run."""
        if more and key not in self.state.keys:
            trials = raised_target(self.state, self.study, more)
            self.opened.append(Target(trials=trials, key=key, time=self._clock()))

    def collect_enqueued(self, check: enqueued.Check) -> tuple[str, ...]:
        """Record the configurations in the inbox; a sentence for each that `check` refuses."""
        return enqueued.collect(self.opened, check, self._clock())

    def trial_folder(self, number: int) -> Path:
        """The folder of a trial's files."""
        digest = self.state.trials[number].digest
        return self.opened.home.trial(self.study.name, number, digest)
