"""`servers.json`: what of `dense up` is running, and the lock that says whether it still is."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home
from tasks.study.lock import Holder, holder_of, lock_study

FILE = "servers.json"
LOCK = "servers.lock"


class Service(BaseModel):
    """One program that is up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    pid: int
    """Of the guard that it ends with."""
    health: str
    """Address that answers when it is well."""
    page: str | None = None
    """What a browser opens."""
    log: str


class Servers(BaseModel):
    """What is up, and where the record is kept.

    `prefect` is read by `flows.servers.prefect` and `mlflow` by `tasks.track.store`, which know
    nothing of the rest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefect: str | None = None
    """Prefect's API, which runs of this home use while it answers."""
    mlflow: str | None = None
    """The MLflow server that has the record, up or down; None where the home's own database has."""
    postgres: str | None = None
    """The database behind both servers, without its password; None where they use the home's."""
    services: tuple[Service, ...] = ()
    """What runs; nothing after `dense down`."""


def path(home: Home) -> Path:
    """Where it stands."""
    return home.path / FILE


def lock_path(home: Home) -> Path:
    """Held by the process that keeps the servers up, for as long as it does."""
    return home.path / LOCK


def take(home: Home, now: float) -> FileLock:
    """Become the one who keeps the servers up.

    Raises:
        Held: somebody does already.
    """
    return lock_study(lock_path(home), Holder(os.getpid(), socket.gethostname(), now))


def holder(home: Home) -> Holder | None:
    """Who keeps the servers up; None when nobody does."""
    return holder_of(lock_path(home))


def running(home: Home) -> Servers | None:
    """What is up; None when nothing is, also where the file is that of a keeper who was killed.

    Raises:
        BadInput: as `read`.
    """
    found = read(home)
    return found if found is not None and found.services and holder(home) is not None else None


def page(home: Home, name: str) -> str | None:
    """What a browser opens of a service that is up; None where it is not, or has no page.

    Raises:
        BadInput: as `read`.
    """
    found = running(home)
    pages = [each.page for each in found.services if each.name == name] if found else []
    return pages[0] if pages else None


def read(home: Home) -> Servers | None:
    """What is up and where the record is kept; None where the file is not there.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        return Servers.model_validate_json(path(home).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise BadInput(f"{path(home)} cannot be read ({error}); remove it") from error


def store(home: Home) -> str | None:
    """The database that the servers of this home have used; None where it is the home's own.

    Raises:
        BadInput: as `read`.
    """
    found = read(home)
    return found.postgres if found is not None else None


def write(home: Home, servers: Servers) -> None:
    """Say what is up."""
    write_atomically(path(home), json.dumps(servers.model_dump(mode="json"), indent=1) + "\n")


def remove(home: Home) -> None:
    """Say that nothing is up; where a PostgreSQL keeps the record, that stays said.

    Raises:
        BadInput: as `read`.
    """
    found = read(home)
    if found is not None and found.postgres:
        write(home, Servers(mlflow=found.mlflow, postgres=found.postgres))
    else:
        path(home).unlink(missing_ok=True)
