"""What the writer thread still has to write."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True)
class TrialJob:
    """A trial that has news; two jobs of one trial are the same."""

    number: int
    again: bool = field(default=False, compare=False)
    """Whether it is written even if MLflow has its last word."""


@dataclass(frozen=True)
class ArtifactJob:
    """A file for the parent run."""

    path: Path
    folder: str | None = None


@dataclass(frozen=True)
class ParentJob:
    """The parent run itself."""


Job = TrialJob | ArtifactJob | ParentJob


class Pending:
    """A queue in which a trial stands once, whatever happened to it. Safe for many threads.

    The parent run comes first while the study runs, so that it is seen to run, and last at its
    end, so that its terminal status says that everything is there.
    """

    def __init__(self, trials: Iterable[int] = ()) -> None:
        self.closing = False
        """Nothing more will come; set by `close`."""
        self._trials = {number: TrialJob(number) for number in trials}
        self._artifacts: list[ArtifactJob] = []
        self._parent = True
        self._news = threading.Condition()

    def add(self, job: Job) -> None:
        """Put a job in, also one that was taken and could not be done."""
        with self._news:
            if isinstance(job, TrialJob):
                waiting = self._trials.get(job.number, job)
                self._trials[job.number] = replace(job, again=job.again or waiting.again)
            elif isinstance(job, ArtifactJob):
                self._artifacts.append(job)
            else:
                self._parent = True
            self._news.notify()

    def close(self, numbers: Iterable[int]) -> None:
        """Let `take` end once these trials, the parent run and all else is taken."""
        with self._news:
            for number in numbers:
                self._trials.setdefault(number, TrialJob(number))
            self.closing = self._parent = True
            self._news.notify()

    def take(self, seconds: float) -> Job | None:
        """The next job, waiting up to so long for one; None when there is none."""
        with self._news:
            if not self._waiting() and not self.closing:
                self._news.wait(max(seconds, 0))
            if self._parent and not self.closing:
                return self._take_parent()
            if self._trials:
                return self._trials.pop(next(iter(self._trials)))
            if self._artifacts:
                return self._artifacts.pop(0)
            return self._take_parent() if self._parent else None

    def _take_parent(self) -> ParentJob:
        self._parent = False
        return ParentJob()

    def _waiting(self) -> int:
        return len(self._trials) + len(self._artifacts) + self._parent

    def __len__(self) -> int:
        with self._news:
            return self._waiting()
