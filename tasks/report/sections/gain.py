"""What the search gained over the configuration as written, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from conf.runtime.errors import DenseError
from tasks.evaluate.evaluation import PREDICTIONS, Interval
from tasks.evaluate.paired import paired_difference, same_rows
from tasks.evaluate.predictions import AnyPredictions, read
from tasks.study.reader import StudyRecord, TrialRecord


@dataclass(frozen=True)
class Gain:
    """The best trial against trial 0 on the same validation rows; above 0 is better."""

    start: float
    """Objective of trial 0."""
    best: float
    """Objective of the best trial."""
    interval: Interval | None
    """The difference, with the 95 % interval of paired resamples; None without predictions."""

    @property
    def value(self) -> float:
        """The difference, 0 or more."""
        return abs(self.best - self.start)


def gain(record: StudyRecord) -> Gain | None:
    """What the search gained; None while trial 0 or the best has no objective."""
    best = record.best
    if record.gain is None or best is None:
        return None
    start = record.trial(0)
    assert start.trial.value is not None and best.trial.value is not None
    found = None
    if best.number != 0 and (pair := _pair(start, best)):
        section = record.study.evaluate
        found = paired_difference(
            section.objective, *pair, sign=record.state.sign, evaluate=section
        )
    return Gain(start.trial.value, best.trial.value, found)


def _pair(start: TrialRecord, best: TrialRecord) -> tuple[AnyPredictions, AnyPredictions] | None:
    """Both trials' predictions; None unless both are there and of the same rows."""
    try:
        first, second = (read(trial.path / PREDICTIONS) for trial in (start, best))
    except (OSError, DenseError):
        return None
    return (first, second) if same_rows(first, second) else None
