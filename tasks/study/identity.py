"""Whether a study under a name is the one that was begun there, and what else has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from conf.errors import BadInput
from conf.identity import study_identity
from conf.study import Study

_FILE = "study.json"


def dumped(study: Study) -> str:
    """The text of `study.json`: the resolved configuration."""
    return json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def stored_study(folder: Path) -> Study | None:
    """The study as it was begun; None when it was not.

    Raises:
        BadInput: the file is there and is no study that this version reads.
    """
    path = folder / _FILE
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
    before, now = flat(study_identity(begun)), flat(study_identity(study))
    changed = differences(before, now)
    if not changed:
        return
    listed = ", ".join(f"{key} {_shown(a)} -> {_shown(b)}" for key, (a, b) in changed.items())
    raise BadInput(
        f"the study {study.name!r} in {folder} was begun with other settings ({listed}); "
        f"run this one under another name: name=<new name>"
    )


def settings_changed(
    begun: Study, changes: Mapping[str, Any], study: Study
) -> dict[str, tuple[Any, Any]]:
    """Settings outside the identity that differ from the last run's: key to before and after.

    `changes` are those that earlier runs made to the study as it was begun.
    """
    identity = set(flat(study_identity(begun))) | set(flat(study_identity(study)))
    before = {**flat(begun.model_dump(mode="json")), **changes}
    now = flat(study.model_dump(mode="json"))
    return {k: v for k, v in differences(before, now).items() if k not in identity}


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key to leaf; an empty mapping is a leaf."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            leaves |= flat(value, f"{prefix}{name}.")
        else:
            leaves[prefix + name] = value
    return leaves


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, in order; a key that is missing on one side has None there."""
    keys = sorted({*before, *now})
    pairs = {key: (before.get(key), now.get(key)) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
