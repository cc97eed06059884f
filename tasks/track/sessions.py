"""Who drove a study when: one line a start of the driver, in `studies/<study>/sessions.jsonl`.

The journal says what happened to the trials; which flow run and which commit made it happen is
written here, so that the record in MLflow can be made again from files alone.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

import conf
from conf.runtime.errors import DenseError

FILE = "sessions.jsonl"


class SessionRecord(BaseModel):
    """One start of a driver."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: float
    """Seconds since the epoch."""
    flow_run: str | None = None
    """Prefect's id of the flow run."""
    flow_run_page: str | None = None
    """Where a browser finds it; None where Prefect's server had no pages."""
    data_key: str
    """Identity of the prepared data."""
    commit: str | None = None
    """Commit of this project, with `-dirty` where files differ from it; None outside a checkout."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Versions, machine and processor, by name; empty in records from before it was written."""


def read(folder: Path) -> tuple[SessionRecord, ...]:
    """Sessions of a study's folder, oldest first; a torn line is left out."""
    try:
        lines = (folder / FILE).read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    sessions = []
    for line in lines:
        try:
            sessions.append(SessionRecord.model_validate_json(line))
        except ValueError:
            continue  # what a power cut left of a line; the trials do not depend on it
    return tuple(sessions)


def append(folder: Path, session: SessionRecord) -> None:
    """Add a session; only the holder of the study's lock does.

    Raises:
        DenseError: the folder cannot be written.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            # A torn line before this one ends here and not in the middle of it.
            start = b"\n" if file.tell() and not _ends_whole(path) else b""
            file.write(start + session.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DenseError(f"{path} cannot be written ({error.strerror}); see to the disk") from error


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def of(sessions: tuple[SessionRecord, ...], time: float | None) -> SessionRecord | None:
    """The session in which something happened at a time: the last that had begun by then."""
    if time is None:
        return None
    begun = [session for session in sessions if session.time <= time]
    return begun[-1] if begun else None


def commit() -> str | None:
    """Commit of the checkout that this project is installed from; None when it is not one."""
    root = Path(conf.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
