"""The read model of a study, for every command that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study, TrialConfig
from tasks.study.events import Event
from tasks.study.identity import JOURNAL_FILE, STUDY_FILE, stored_study, with_changes
from tasks.study.journal import read
from tasks.study.lock import Holder, holder_of
from tasks.study.replay import fold_file
from tasks.study.state import State
from tasks.study.trial import Trial

if TYPE_CHECKING:  # numpy and Arrow load with it
    from tasks.evaluate.evaluation import Evaluation
    from tasks.train.folder import MetricLine


@dataclass(frozen=True)
class TrialRecord:
    """One trial: its state in the journal, and the files of its folder."""

    study: Study
    trial: Trial
    path: Path
    """Its folder, which exists once it was started."""

    @property
    def number(self) -> int:
        """Its number in the study."""
        return self.trial.number

    @property
    def config(self) -> TrialConfig:
        """Its whole configuration."""
        from conf.loading.trial_values import apply_values

        return apply_values(self.study.trial_config, self.trial.values)

    @property
    def curve(self) -> list[MetricLine]:
        """One line per finished epoch."""
        from tasks.train.folder import TrialFolder

        return TrialFolder(self.path).read_metrics()

    @property
    def evaluation(self) -> Evaluation | None:
        """Metrics with intervals; None before its predictions were evaluated."""
        from tasks.evaluate.evaluation import EVALUATION, Evaluation

        return Evaluation.read(self.path / EVALUATION)


@dataclass(frozen=True)
class StudyRecord:
    """A study as read from its files."""

    home: Home
    study: Study
    """The study of its first run with the settings of its last."""
    state: State
    events: tuple[Event, ...]

    @classmethod
    def read(cls, home: Home, name: str) -> StudyRecord:
        """Read a study, which another process may be driving; changes nothing.

        Raises:
            BadInput: there is no such study, or its files cannot be read.
        """
        folder = home.study(name)
        begun = stored_study(folder)
        if begun is None:
            names = ", ".join(studies(home)) or "none yet"
            raise BadInput(f"no study {name!r} was begun in {home.path}; begun were: {names}")
        path = folder / JOURNAL_FILE
        events, _ = read(path)
        state = fold_file(path, events, begun.evaluate.direction)
        return cls(home, with_changes(begun, state.changes), state, events)

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return self.home.study(self.study.name)

    @property
    def holder(self) -> Holder | None:
        """The process that drives it now, or None."""
        return holder_of(self.folder / "lock")

    def trial(self, number: int) -> TrialRecord:
        """A trial by its number; BadInput when there is none."""
        if not 0 <= number < self.state.asked:
            raise BadInput(
                f"the study {self.study.name!r} has no trial {number}; it has {self.state.asked}, "
                "numbered from 0"
            )
        trial = self.state.trials[number]
        path = self.home.trial(self.study.name, number, trial.digest)
        return TrialRecord(self.study, trial, path)

    def __iter__(self) -> Iterator[TrialRecord]:
        """Every trial asked, by number."""
        return (self.trial(number) for number in range(self.state.asked))

    def leaderboard(self) -> Iterator[TrialRecord]:
        """Trials with an objective, best first: the higher rung, the better value, the lower
        number."""
        return (self.trial(number) for _, _, number in self.state.ranked)

    def complete(self) -> Iterator[tuple[int, Path]]:
        """Number and folder of the complete trials, best first."""
        ranked = self.leaderboard()
        return ((each.number, each.path) for each in ranked if each.trial.status == "complete")

    @property
    def best(self) -> TrialRecord | None:
        """The head of the leaderboard."""
        return next(self.leaderboard(), None)

    @cached_property
    def gain(self) -> float | None:
        """How much better than trial 0 the best is, 0 or more; None while one has no objective."""
        best = self.best
        start = self.state.trials[0] if self.state.asked else None
        if best is None or start is None or start.value is None or best.trial.value is None:
            return None
        return self.state.sign * (start.value - best.trial.value)

    @property
    def outcomes(self) -> dict[str, int]:
        """Trials by outcome."""
        return {
            name: self.state.count(name) for name in ("complete", "stopped", "paused", "failed")
        }


def studies(home: Home) -> list[str]:
    """Names of the studies that were begun in a home."""
    return sorted(path.parent.name for path in (home.path / "studies").glob(f"*/{STUDY_FILE}"))
