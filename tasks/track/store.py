"""Where MLflow keeps its record, and an MLflow that is ready to be written to.

Importing this module is cheap. MLflow itself is imported by the functions, which takes seconds:
`warm` can be called early, in a thread of its own.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from conf.runtime.atomic_write import atomic_path
from conf.runtime.errors import BadInput, DenseError
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s]*@")
# Error codes of MLflow for calls that would fail again; after any other the same call may succeed.
REFUSALS = frozenset(
    {
        "BAD_REQUEST",
        "INVALID_PARAMETER_VALUE",
        "INVALID_STATE",
        "RESOURCE_ALREADY_EXISTS",
        "RESOURCE_DOES_NOT_EXIST",
    }
)
_READY: set[tuple[str, Path]] = set()
_STARTING = threading.Lock()


def tracking_uri(home: Home) -> str:
    """`MLFLOW_TRACKING_URI`, else the server that the home's `servers.json` names, else its own.

    Raises:
        BadInput: `servers.json` cannot be read.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    return given or named_server(home, "mlflow", "MLFLOW_TRACKING_URI") or own_uri(home)


def shown(text: str) -> str:
    """An address, or a text with addresses, as people and records may see it: no password."""
    return _PASSWORD.sub(r"\1***@", text)


def own_uri(home: Home) -> str:
    """The home's own database."""
    return f"sqlite:///{home.mlflow_database}"


def artifact_location(home: Home, uri: str, name: str) -> str | None:
    """Where an experiment's artifacts lie; None where a server decides."""
    return None if uri.startswith("http") else (home.artifacts / name).as_uri()


def client(uri: str) -> MlflowClient:
    """A client for runs and registry that depends on no global setting."""
    from mlflow import MlflowClient

    _quiet()
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def warm(home: Home) -> None:
    """Import MLflow and make its database ready, ahead of need, in a thread of the caller's."""
    # What goes wrong here goes wrong again, and is said, where the record is needed.
    with suppress(Exception):
        bootstrap(home)


def bootstrap(home: Home) -> str:
    """Make sure that MLflow answers, with the home's own database created and migrated.

    Safe to call at the same time from several threads and processes; once a process it is done, a
    call costs nothing.

    Returns:
        The tracking URI.

    Raises:
        BadInput: MLflow does not answer, or its database cannot be used.
    """
    uri = tracking_uri(home)
    with _STARTING:
        if (uri, home.path) not in _READY:
            _start(home, uri)
            _READY.add((uri, home.path))
    return uri


def _start(home: Home, uri: str) -> None:
    if uri.startswith("http"):
        _require_answer(home, uri)
        return
    with FileLock.acquire(home.path / "mlflow.lock"):
        if uri == own_uri(home):
            _prepare(home)
        _require_answer(home, uri)


def named_server(home: Home, name: str, variable: str) -> str | None:
    """Address of a server in the home's `servers.json`; None if the file names none.

    Args:
        home: the home.
        name: key of the file, `prefect` or `mlflow`.
        variable: environment variable that can name the server instead, for the message.

    Raises:
        BadInput: the file cannot be read.
    """
    path = home.path / "servers.json"
    if not path.is_file():
        return None
    try:
        url = json.loads(path.read_text()).get(name)
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(f"{path} cannot be read ({error}); remove it, or set {variable}") from error
    return url if isinstance(url, str) else None


@contextmanager
def answering(home: Home, uri: str) -> Iterator[None]:
    """Turn whatever MLflow raises inside into one sentence.

    Raises:
        BadInput: MLflow does not answer, or not as it should.
    """
    try:
        yield
    except DenseError:
        raise
    except Exception as error:  # whatever the store behind the address raises
        raise BadInput(
            f"MLflow at {shown(uri)} does not answer ({short(error)}); {_remedy(home, uri)}"
        ) from error


def _remedy(home: Home, uri: str) -> str:
    """How to go on where MLflow does not answer."""
    if uri == own_uri(home):
        return f"move {home.mlflow_database} away: `dense sync STUDY` writes its record again"
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return "start it, or unset MLFLOW_TRACKING_URI to record in the home's own database"
    return f"it has this home's record ({home.path / 'servers.json'}): start it with `dense up`"


@contextmanager
def at_work(uri: str, remedy: str) -> Iterator[None]:
    """Turn what an MLflow that goes away in the middle of work raises into one sentence.

    Raises:
        DenseError: MLflow refused or did not answer.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise DenseError(f"MLflow at {shown(uri)} failed ({short(error)}); {remedy}") from error


def is_away(error: Exception) -> bool:
    """Whether MLflow is unavailable, so that the same call may succeed later."""
    code = getattr(error, "error_code", None)
    if code is None:
        return isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
    return code not in REFUSALS


@contextmanager
def mlflow_session(
    home: Home, remedy: str = "run the command again when it answers"
) -> Iterator[MlflowClient]:
    """A client of an MLflow that answers, for a block of calls.

    Args:
        home: whose MLflow is used: the configured server, or its own database.
        remedy: what to do if MLflow fails meanwhile, for the message.

    Raises:
        BadInput: MLflow does not answer at the start.
        DenseError: MLflow fails inside the block.
    """
    uri = bootstrap(home)
    with at_work(uri, remedy):
        yield client(uri)


def _require_answer(home: Home, uri: str) -> None:
    with answering(home, uri):
        client(uri).search_experiments(max_results=1)


def short(error: BaseException) -> str:
    """The first line of an error, of a length that fits a sentence, without passwords."""
    line = shown((str(error).strip().splitlines() or [type(error).__name__])[0])
    return line if len(line) <= 200 else f"{line[:200]}..."


def _prepare(home: Home) -> None:
    """Create the home's database whole, or migrate that of another MLflow."""
    path = home.mlflow_database
    try:
        if not path.exists():
            _create(path, home.artifacts)
        elif _revision(path) != _wanted_revision():
            _migrate(path)
        with closing(sqlite3.connect(path, timeout=20)) as connection:
            # Writers and readers then do not wait for each other; the file remembers it.
            connection.execute("PRAGMA journal_mode=WAL")
    except (sqlite3.Error, OSError) as error:
        raise BadInput(
            f"MLflow's database {path} cannot be used ({short(error)}); move it away: "
            "`dense sync STUDY` writes its record again"
        ) from error


def _create(path: Path, artifacts: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    _quiet()
    with atomic_path(path) as temporary:
        store = SqlAlchemyStore(f"sqlite:///{temporary}", artifacts.as_uri())
        store.engine.dispose()


def _migrate(path: Path) -> None:
    """Bring a schema up to date, keeping a copy of the database as it was."""
    from mlflow import db

    _quiet()
    copy = path.with_name(f"{path.name}.before-{_revision(path)}")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    try:
        upgrade = db.upgrade.callback
        assert upgrade is not None  # a command always has one
        upgrade(f"sqlite:///{path}")
    except Exception as error:  # of the migration tool or of any migration
        raise BadInput(
            f"MLflow's database {path} cannot be brought to the schema of the installed MLflow "
            f"({short(error)}); as it was it is kept in {copy}"
        ) from error


def _wanted_revision() -> str:
    from mlflow.store.db import utils

    revision: str = utils._get_latest_schema_revision()
    return revision


def _revision(path: Path) -> str | None:
    """The schema's version; None for a database without one."""
    with closing(sqlite3.connect(path)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError:
            return None
    return row[0] if row else None


def _quiet() -> None:
    # What fails is raised to us, who say it in a sentence; MLflow's own traceback is not shown.
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
