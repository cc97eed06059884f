"""The inbox of a study: configurations enqueued while another process may be driving it.

`dense enqueue` leaves a file in the study's `inbox/`; the driver moves it into the journal before
its next ask. The file's name is the request's key: a driver that dies between the two does not
enqueue it twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput
from conf.schema.base import Section
from conf.schema.search import Scalar
from tasks.study.events import Enqueued
from tasks.study.writer import OpenStudy

Check = Callable[[Mapping[str, Scalar]], object]
_REFUSED = "refused"


class Request(Section):
    """The content of a file in the inbox."""

    values: dict[str, Scalar]
    """Dotted key to value; settings that are missing have the values of trial 0."""


def submit(folder: Path, values: Mapping[str, Scalar], key: str) -> Path:
    """Write a request into the inbox of the study in `folder`; they are taken in order of `key`."""
    path = folder / "inbox" / f"{key}.json"
    write_atomically(path, json.dumps({"values": dict(values)}, allow_nan=False))
    return path


def collect(study: OpenStudy, check: Check, now: float) -> tuple[str, ...]:
    """Move the requests of the inbox into the journal.

    Args:
        study: the open study.
        check: raises BadInput for values that the study cannot try; the file is then set aside.
        now: seconds since the epoch.

    Returns:
        A sentence for each refused request.
    """
    refusals = []
    for path in sorted((study.folder / "inbox").glob("*.json")):
        if path.stem not in study.state.keys:
            try:
                request = Request.model_validate_json(path.read_bytes())
                check(request.values)
            except (BadInput, ValidationError) as error:
                refusals.append(_set_aside(path, error))
                continue
            study.append(Enqueued(values=request.values, key=path.stem, time=now))
        path.unlink()
    return tuple(refusals)


def _set_aside(path: Path, error: Exception) -> str:
    aside = path.parent / _REFUSED / path.name
    aside.parent.mkdir(exist_ok=True)
    path.replace(aside)
    return f"an enqueued configuration was refused ({error}); it is in {aside}"
