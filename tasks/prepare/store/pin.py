"""The data key that a study began with, and keeps."""

from __future__ import annotations

import json

from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.prepare.run import Say, equip, prepare, silent
from tasks.prepare.store.store import Prepared, open_prepared

PIN = "data.json"


def pinned_key(home: Home, study: str) -> str | None:
    """The data key of a study; None before its first run.

    Raises:
        BadInput: the file that names it is damaged.
    """
    pin = home.study(study) / PIN
    if not pin.exists():
        return None
    try:
        return str(json.loads(pin.read_bytes())["key"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{pin} does not say which data the study began with; restore it from a copy, "
            "or start anew with name=<new name>"
        ) from error


def prepared_of(home: Home, study: str) -> Prepared | None:
    """The prepared data of a study; None where nothing is prepared."""
    key = pinned_key(home, study)
    return open_prepared(home, key) if key else None


def pinned(study: Study, home: Home, say: Say = silent) -> Prepared:
    """The study's prepared data, the same in every run of the study.

    The first run writes the key into the study's folder. Later ones open that key without looking
    at the source again; only where the prepared data is gone is the source read.

    Raises:
        BadInput: the prepared data is gone and the source now gives other data.
        DenseError: the prepared data is damaged.
    """
    pin = home.study(study.name) / PIN
    key = pinned_key(home, study.name)
    if key is not None and (prepared := open_prepared(home, key)) is not None:
        equip(study, home, prepared, say)
        return prepared
    prepared = prepare(study, home, say)
    if key is not None and key != prepared.key:
        raise BadInput(
            f"the data of study {study.name!r} has changed since it began (key {key[:8]}, now "
            f"{prepared.key[:8]}); restore the source, or start anew with name=<new name>"
        )
    write_atomically(pin, json.dumps({"key": prepared.key}) + "\n")
    return prepared
