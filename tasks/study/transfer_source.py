"""Transfer sources: trials of earlier studies that warm-start the search (`search.learn_from`).

Of each earlier trial that was trained in full: the settings that both studies search, and its rank.
They are copied into the study's folder when it begins, and every suggestion reads the copy: the
earlier studies may continue or be deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from conf.loading.trial_values import contains
from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.base import Section
from conf.schema.search import Scalar
from conf.schema.study import Study
from tasks.study.reader import StudyRecord
from tasks.study.trial import Trial

if TYPE_CHECKING:  # numerical libraries load with it
    from tasks.suggest.types import EarlierTrial

SOURCE_FILE = "earlier.json"


class SourceTrial(Section):
    """One trial of a transfer source."""

    study: str
    number: int
    values: dict[str, Scalar]
    rank: float
    """Quantile in its study: near 0 the best, near 1 the worst."""


class SourceTrials(Section):
    """The content of `earlier.json`."""

    trials: tuple[SourceTrial, ...]


def copy_source_trials(home: Home, study: Study, *, begun: bool) -> tuple[SourceTrial, ...]:
    """The trials of the transfer sources: the copy, made now unless trials were asked already.

    Raises:
        BadInput: an earlier study cannot be read, is this one, or searched nothing that this one
            does; or the copy is gone or damaged.
    """
    if not study.search.learn_from:
        return ()
    path = home.study(study.name) / SOURCE_FILE
    if begun:
        return _read(path)
    known = source_trials(home, study)
    text = json.dumps(SourceTrials(trials=known).model_dump(mode="json"), allow_nan=False)
    write_atomically(path, text)
    return known


def source_trials(home: Home, study: Study) -> tuple[SourceTrial, ...]:
    """The trials of the transfer sources if the study began now.

    Raises:
        BadInput: as `copy_source_trials`.
    """
    return tuple(one for name in study.search.learn_from for one in _trials_of(home, study, name))


def as_earlier_trials(known: tuple[SourceTrial, ...]) -> tuple[EarlierTrial, ...]:
    """The trials as the suggestion step takes them."""
    from tasks.suggest.types import EarlierTrial

    return tuple(EarlierTrial(one.study, one.values, one.rank) for one in known)


def _read(path: Path) -> tuple[SourceTrial, ...]:
    try:
        return SourceTrials.model_validate_json(path.read_bytes()).trials
    except (OSError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise BadInput(
            f"{path} cannot be read ({first}), and the search needs it; restore it from a copy, "
            "or start the study under another name"
        ) from error


def _trials_of(home: Home, study: Study, name: str) -> Iterator[SourceTrial]:
    """The trials of one transfer source, best first."""
    if name == study.name:
        raise BadInput(f"search.learn_from: {name!r} is this study itself; name an earlier one")
    record = StudyRecord.read(home, name)
    shared = study.search.space.keys() & record.study.search.space.keys()
    if not shared:
        raise BadInput(
            f"search.learn_from: {name!r} shares no searched setting with {study.name!r}; remove it"
        )
    whole = [record.state.trials[key[2]] for key in record.state.ranked]
    ended = [trial for trial in whole if trial.status == "complete"]
    for place, trial in enumerate(ended):
        values = _shared(study, trial, shared)
        if values:
            rank = (place + 0.5) / len(ended)
            yield SourceTrial(study=name, number=trial.number, values=values, rank=rank)


def _shared(study: Study, trial: Trial, shared: set[str]) -> dict[str, Scalar]:
    """The settings of a trial that both studies search; none where one is outside the space."""
    values = {key: trial.values[key] for key in sorted(shared) if key in trial.values}
    inside = all(contains(study.search.space[key], value) for key, value in values.items())
    return values if inside else {}
