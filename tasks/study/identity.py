"""The identity of a study: whether a folder holds the same one, and which settings changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from conf.loading.digests import IDENTITY_FIELDS, study_identity
from conf.runtime.errors import BadInput
from conf.schema.study import Study

STUDY_FILE = "study.json"
JOURNAL_FILE = "journal.jsonl"
DATA_FILE = "data.json"
"""Names the prepared data that the study began with; written once it is prepared."""


Changes = dict[str, tuple[object, object]]
"""Dotted key to its value before and after."""


def study_json(study: Study) -> str:
    """The content of `study.json`: the resolved configuration."""
    return json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def stored_study(folder: Path) -> Study | None:
    """Read the study of a folder as it was at its first run; None before that.

    Raises:
        BadInput: the file exists and this version cannot read it.
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


def check_identity(begun: Study, study: Study, folder: Path) -> None:
    """Check that a study is the one that was begun in a folder.

    Raises:
        BadInput: its identity differs; the message lists the changed keys.
    """
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


def changed_settings(begun: Study, changes: Mapping[str, object], study: Study) -> Changes:
    """Settings outside the identity that differ from those of the last run.

    Args:
        begun: the study at its first run.
        changes: settings that later runs changed, `section.field` to value.
        study: the study of this run.

    Returns:
        `section.field` to its value before and after.
    """
    return _differences({**_settings(begun), **changes}, _settings(study))


def with_changes(begun: Study, changes: Mapping[str, object]) -> Study:
    """The study `begun` with the settings of its last run."""
    data = begun.model_dump(mode="json")
    for key, value in changes.items():
        section, name = key.split(".", 1)
        data[section][name] = value
    return Study.model_validate_json(json.dumps(data))


def _settings(study: Study) -> dict[str, object]:
    sections = study.model_dump(mode="json", exclude=IDENTITY_FIELDS)  # type: ignore[arg-type]
    return {f"{name}.{key}": value for name, of in sections.items() for key, value in of.items()}


def _leaves(tree: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Dotted key to leaf; an empty mapping is a leaf."""
    leaves: dict[str, object] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            leaves |= _leaves(value, f"{prefix}{name}.")
        else:
            leaves[prefix + name] = value
    return leaves


def _differences(before: Mapping[str, object], now: Mapping[str, object]) -> Changes:
    """Keys whose values differ, in order; a key that is missing on one side has None there."""
    pairs = {key: (before.get(key), now.get(key)) for key in sorted({*before, *now})}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
