"""One side of a comparison: a study, one of its trials, or its champion, by the name people give.

`digits` is a study, seen through its best trial; `digits/3` a trial; `digits@champion` the model
that was trained again and scored on the test part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.base import Section
from conf.schema.study import TrialConfig
from tasks.evaluate.evaluation import EVALUATION, PREDICTIONS, Evaluation, Interval
from tasks.study.champion_state import CurrentChampion
from tasks.study.reader import StudyRecord, TrialRecord
from tasks.train.folder import MetricLine, TrialFolder

_NAME = re.compile(r"(?P<study>[^/@]+)(?:/(?P<trial>\d+)|@(?P<champion>champion))?")


@dataclass(frozen=True)
class ComparisonSide:
    """What is compared."""

    name: str
    """As it was given."""
    words: str
    """`study digits`, `trial 3 of digits`, `champion of digits (trial 10)`."""
    part: Literal["validation", "test"]
    """The part of the data that its metrics are of."""
    record: StudyRecord
    trial: int
    """The trial whose configuration it has: of a study the best."""
    config: TrialConfig
    settings: Mapping[str, Any]
    """Dotted key to value: of a whole study, or of a trial's configuration."""
    metrics: Mapping[str, Interval]
    folder: Path
    """Where its predictions lie."""
    seconds: float
    """Training: of a study, all trials together."""
    curve: Sequence[MetricLine] = field(default_factory=tuple)

    @property
    def whole(self) -> bool:
        """Whether it is a study."""
        return "/" not in self.name and "@" not in self.name

    @property
    def predictions(self) -> Path:
        """What it said about each row."""
        return self.folder / PREDICTIONS


def read_side(home: Home, name: str) -> ComparisonSide:
    """Read a side from its files.

    Raises:
        BadInput: there is no such study, trial or champion, or it has no result yet.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise BadInput(
            f"{name!r} names nothing that can be compared; give a study (digits), a trial "
            "(digits/3) or a champion (digits@champion)"
        )
    record = StudyRecord.read(home, found["study"])
    if found["champion"]:
        return _champion(name, record)
    if found["trial"]:
        return _trial(name, record, record.trial(int(found["trial"])))
    return _study(name, record)


def _study(name: str, record: StudyRecord) -> ComparisonSide:
    best = record.best
    if best is None:
        raise BadInput(f"no trial of {name!r} has a result yet; see: dense status {name}")
    settings = flat(record.study)
    del settings["name"]
    return ComparisonSide(
        name=name,
        words=f"study {name}, its best trial {best.number}",
        part="validation",
        record=record,
        trial=best.number,
        config=best.config,
        settings=settings,
        metrics=_metrics(best.evaluation),
        folder=best.path,
        seconds=sum(trial.trial.seconds for trial in record),
        curve=best.curve,
    )


def _trial(name: str, record: StudyRecord, found: TrialRecord) -> ComparisonSide:
    evaluation = found.evaluation
    if evaluation is None:
        raise BadInput(f"trial {name} has no result ({found.trial.status}); compare another")
    return ComparisonSide(
        name=name,
        words=f"trial {found.number} of {record.study.name}",
        part="validation",
        record=record,
        trial=found.number,
        config=found.config,
        settings=flat(found.config),
        metrics=_metrics(evaluation),
        folder=found.path,
        seconds=found.trial.seconds,
        curve=found.curve,
    )


def _champion(name: str, record: StudyRecord) -> ComparisonSide:
    from tasks.compare.replay import champion_final

    final, winner = champion_final(record), CurrentChampion.of(record)
    assert winner is not None  # else there is no final
    config = record.trial(final.number).config
    evaluation = Evaluation.read(final.folder / "test" / EVALUATION)
    curve = TrialFolder(final.folder).read_metrics()
    return ComparisonSide(
        name=name,
        words=f"champion of {record.study.name}, trial {final.number} trained again",
        part="test",
        record=record,
        trial=final.number,
        config=config,
        settings=flat(config),
        metrics=_metrics(evaluation) or winner.test,
        folder=final.folder / "test",
        seconds=sum(line.seconds for line in curve),
        curve=curve,
    )


def _metrics(evaluation: Evaluation | None) -> dict[str, Interval]:
    return dict(evaluation.metrics) if evaluation else {}


def flat(section: Section) -> dict[str, Any]:
    """Every setting of a configuration by its dotted key."""
    return _flat(section.model_dump(mode="json"), "")


def _flat(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
