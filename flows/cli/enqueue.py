"""`dense enqueue`: a person's idea for a study, checked here, taken by whoever drives the study."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from conf.loading.overrides import parse_override
from conf.loading.trial_values import apply_values
from conf.loading.validate import did_you_mean
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.search import Scalar
from flows.study.checked_study import whole_values
from tasks.study.enqueued import submit
from tasks.study.policy import target_trials
from tasks.study.reader import StudyRecord


def enqueue(name: str, settings: Sequence[str]) -> str:
    """Leave a configuration in a study's inbox; what becomes of it, in a sentence.

    It works beside a running study: the file is the request, and the driver takes it before its
    next batch.

    Raises:
        BadInput: there is no such study, or it cannot or need not try these settings.
    """
    record = StudyRecord.read(Home.open(), name)
    given = parsed(settings)
    known = record.study.search.space
    if unknown := sorted(given.keys() - known.keys()):
        near = did_you_mean(unknown[0], known) if known else "it searches nothing"
        raise BadInput(f"{unknown[0]} is not searched by {name!r}; {near}")
    whole = whole_values(record.study, given)
    apply_values(record.study.trial_config, whole)
    if (tried := _tried(record, whole)) is not None:
        raise BadInput(
            f"trial {tried} of {name!r} has these settings; see: dense show {name} {tried}"
        )
    # Sorted by name they are sorted by time; the process tells two of one moment apart.
    submit(record.folder, given, f"{time.time_ns():020d}-{os.getpid()}")
    return _what_next(record)


def parsed(settings: Sequence[str]) -> dict[str, Scalar]:
    """Dotted key to value of texts like `train.lr=0.01`.

    Raises:
        BadInput: one cannot be read, holds no plain value, or names a key for the second time.
    """
    values: dict[str, Any] = {}
    for text in settings:
        path, value = parse_override(text)
        key = ".".join(map(str, path))
        if isinstance(value, list | dict):
            raise BadInput(f"{text!r}: a setting takes one plain value; write {key}=VALUE")
        if key in values:
            raise BadInput(f"{key} is given twice; drop one of them")
        values[key] = value
    if not values:
        raise BadInput("name at least one setting to try, such as train.lr=1e-3")
    return values


def _tried(record: StudyRecord, whole: dict[str, Scalar]) -> int | None:
    """The trial that has these settings already."""
    same = (trial.number for trial in record.state.trials if dict(trial.values) == whole)
    return next(same, None)


def _what_next(record: StudyRecord) -> str:
    name, state = record.study.name, record.state
    waiting = len(list((record.folder / "inbox").glob("*.json"))) + len(state.enqueued)
    left = target_trials(state, record.study) - state.asked
    if left < waiting:
        return (
            f"enqueued; every trial is taken: `dense run {name} --more {waiting - left}` tries it"
        )
    if record.holder is None:
        return f"enqueued; `dense run {name}` tries it next"
    return "enqueued; the running study tries it with its next batch"
