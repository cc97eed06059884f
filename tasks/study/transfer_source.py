"""What a study learns from earlier ones, copied into its folder when it begins.

Of each earlier trial that trained in full: the settings that both studies search, and its rank. The
copy is what every suggestion is made from: the earlier studies may go on or go away.
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

EARLIER_FILE = "earlier.json"


class Known(Section):
    """One trial of an earlier study."""

    study: str
    number: int
    values: dict[str, Scalar]
    rank: float
    """Near 0 the best of its study, near 1 the worst."""


class Copied(Section):
    """What the file holds."""

    trials: tuple[Known, ...]


def copy_earlier(home: Home, study: Study, *, begun: bool) -> tuple[Known, ...]:
    """What the study learns from: its copy, made now unless trials were asked already.

    Raises:
        BadInput: an earlier study cannot be read, is this one, or searched nothing that this one
            does; or the copy is gone or damaged.
    """
    if not study.search.learn_from:
        return ()
    path = home.study(study.name) / EARLIER_FILE
    if begun:
        return _read(path)
    known = look(home, study)
    text = json.dumps(Copied(trials=known).model_dump(mode="json"), allow_nan=False)
    write_atomically(path, text)
    return known


def look(home: Home, study: Study) -> tuple[Known, ...]:
    """What the study would learn from if it began now; BadInput as in `copy_earlier`."""
    return tuple(one for name in study.search.learn_from for one in _known(home, study, name))


def as_earlier(known: tuple[Known, ...]) -> tuple[EarlierTrial, ...]:
    """The same for the suggestion step."""
    from tasks.suggest.types import EarlierTrial

    return tuple(EarlierTrial(one.study, one.values, one.rank) for one in known)


def _read(path: Path) -> tuple[Known, ...]:
    try:
        return Copied.model_validate_json(path.read_bytes()).trials
    except (OSError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise BadInput(
            f"{path} cannot be read ({first}), and the search goes by it; restore it from a copy, "
            "or start the study under another name"
        ) from error


def _known(home: Home, study: Study, name: str) -> Iterator[Known]:
    """The trials of one earlier study, best first."""
    if name == study.name:
        raise BadInput(f"search.learn_from: {name!r} is this study; name an earlier one")
    record = StudyRecord.read(home, name)
    shared = study.search.space.keys() & record.study.search.space.keys()
    if not shared:
        raise BadInput(
            f"search.learn_from: {name!r} searched nothing that {study.name!r} does; drop it"
        )
    whole = [record.state.trials[key[2]] for key in record.state.ranked]
    ended = [trial for trial in whole if trial.status == "complete"]
    for place, trial in enumerate(ended):
        values = _shared(study, trial, shared)
        if values:
            rank = (place + 0.5) / len(ended)
            yield Known(study=name, number=trial.number, values=values, rank=rank)


def _shared(study: Study, trial: Trial, shared: set[str]) -> dict[str, Scalar]:
    """The settings of a trial that this study could have too; none where one lies outside."""
    values = {key: trial.values[key] for key in sorted(shared) if key in trial.values}
    inside = all(contains(study.search.space[key], value) for key, value in values.items())
    return values if inside else {}
