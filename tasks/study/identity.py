"""Whether a study under a name is the one that was begun there, and what else has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from conf.loading.digests import IDENTITY_FIELDS, study_identity
from conf.runtime.errors import BadInput
from conf.schema.study import Study

STUDY_FILE = "study.json"
JOURNAL_FILE = "journal.jsonl"
DATA_FILE = "data.json"
"""Which prepared data the study began with; written once that is there."""


def dumped(study: Study) -> str:
    """The text of `study.json`: the resolved configuration."""
    return json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def stored_study(folder: Path) -> Study | None:
    """The study as it was begun; None when it was not.

    Raises:
        BadInput: the file is there and is no study that this version reads.
    """
    path = folder / STUDY_FILE
    try:
        return Study.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise BadInput(
            f"{path} cannot be read as a study ({first}); restore it from a copy, "
            "or start the study under another name"
        ) from error


def refuse_another(begun: Study, study: Study, folder: Path) -> None:
    """BadInput, with the changed keys, when a study is not the one that was begun in a folder."""
    changed = _differences(_leaves(study_identity(begun)), _leaves(study_identity(study)))
    if changed:
        listed = ", ".join(
            f"{key} {json.dumps(before)} -> {json.dumps(now)}"
            for key, (before, now) in changed.items()
        )
        raise BadInput(
            f"the study {study.name!r} in {folder} was begun with other settings ({listed}); "
            "run this one under another name: name=<new name>"
        )


def settings_changed(
    begun: Study, changes: Mapping[str, Any], study: Study
) -> dict[str, tuple[Any, Any]]:
    """Settings outside the identity that differ from the last run's: `section.field` to before and
    after. `changes` are those that earlier runs made to the study as it was begun."""
    return _differences({**_settings(begun), **changes}, _settings(study))


def with_changes(begun: Study, changes: Mapping[str, Any]) -> Study:
    """The study with the settings of its last run."""
    data = begun.model_dump(mode="json")
    for key, value in changes.items():
        section, name = key.split(".", 1)
        data[section][name] = value
    return Study.model_validate_json(json.dumps(data))


def _settings(study: Study) -> dict[str, Any]:
    excluded: Any = IDENTITY_FIELDS
    sections = study.model_dump(mode="json", exclude=excluded)
    return {f"{name}.{key}": value for name, of in sections.items() for key, value in of.items()}


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key to leaf; an empty mapping is a leaf."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            leaves |= _leaves(value, f"{prefix}{name}.")
        else:
            leaves[prefix + name] = value
    return leaves


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, in order; a key that is missing on one side has None there."""
    pairs = {key: (before.get(key), now.get(key)) for key in sorted({*before, *now})}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
