"""The study that follows an alarm: the same again under a new name, learning from the last."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from conf.loading.load import load_study, study_names
from conf.runtime.errors import BadInput
from conf.schema.study import Study

KINDS = ("kind", "source", "by")
"""Fields that choose an implementation: with another of them a part is replaced whole."""


@dataclass(frozen=True)
class Successor:
    """What the study flow is called with."""

    study: str
    """Name of the file that it starts from."""
    overrides: tuple[str, ...]


def successor_of(study: Study, time: float) -> Successor:
    """The study that follows one, the same for all alarms of one day.

    It has the settings that the last run of the study had, prepares the data anew from its source,
    competes for the same registered model, and, where the search can, learns from the trials of
    the last.

    Args:
        study: whose champion raised an alarm.
        time: of the alarm, in seconds since the epoch.

    Raises:
        BadInput: there is no study file of that name to start from, or the study began today as a
            successor itself.
    """
    root = study.name
    known = study_names()
    while root not in known and "-" in root:  # a successor's own successor
        root = root.rpartition("-")[0]
    if root not in known:
        raise BadInput(
            f"no study file is called {study.name!r}, so no successor can be started from it; put "
            "it into the folder that DENSE_STUDIES names"
        )
    name = f"{root}-{datetime.fromtimestamp(time, UTC):%Y%m%d}"
    if name == study.name:
        raise BadInput(f"{name} is today's successor itself; tomorrow's alarm starts the next")
    search = {**study.model_dump(mode="json")["search"]}
    search["learn_from"] = [study.name] if study.search.strategy == "bayes" else []
    wanted = {
        **study.model_dump(mode="json"),
        "name": name,
        "search": search,
        "champion": {
            **study.model_dump(mode="json")["champion"],
            "model": study.registered_model,
        },
    }
    begun = load_study(root).model_dump(mode="json")
    changes = tuple(f"{path}={json.dumps(value)}" for path, value in _changes(begun, wanted))
    return Successor(root, changes)


def _changes(
    begun: Mapping[str, Any], wanted: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Any]]:
    """Overrides that make one configuration of the other."""
    other_kind = any(begun.get(kind) != wanted.get(kind) for kind in KINDS)
    for key, value in wanted.items():
        here = f"{path}{key}"
        if key in begun and begun[key] == value and not other_kind:
            continue
        old = begun.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and value and here != "search.space":
            yield from _changes({} if other_kind else old, value, f"{here}.")
        elif here == "search.space":
            yield from _space(old or {}, value)
        else:
            yield here, value


def _space(begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in begun.keys() - wanted.keys():
        yield f"search.space.{key}", None
    for key, value in wanted.items():
        if begun.get(key) != value:
            for word, part in value.items():
                yield f"search.space.{key}.{word}", part
