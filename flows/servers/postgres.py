"""A PostgreSQL database that both servers of a home keep their records in.

Its address is kept without a password. A password that was given with it is written into a file of
the home that only its owner reads, in the format of `~/.pgpass`, and reaches the two servers in
their environment (asyncpg does not undo the file's escapes). So it stands on no command line, in no
log and in no `servers.json`.

Each server has a schema of its own: both would else keep their version in one `alembic_version`.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput
from conf.runtime.home import Home

SCHEMAS = ("mlflow", "prefect")
SECONDS = 10


def keep_password(home: Home, url: str) -> str:
    """The address without its password, which from now on is in the home's own file.

    Raises:
        BadInput: it is no address of a PostgreSQL database.
    """
    parts = _checked(url)
    if parts.password is None:
        return f"postgresql://{parts.netloc}{parts.path}"
    line = f"{_place(parts)}:{_escaped(parts.password)}"
    write_atomically(password_file(home), f"{line}\n")
    host = parts.netloc.rpartition("@")[2]
    return f"postgresql://{parts.netloc.partition(':')[0]}@{host}{parts.path}"


def password_file(home: Home) -> Path:
    """Where a password that was given with an address is."""
    return home.path / "pgpass"


def environment(home: Home, url: str) -> dict[str, str]:
    """What tells a database driver the password; nothing where none was given with this address, so
    that what the user has set holds."""
    path, start = password_file(home), f"{_place(urlsplit(url))}:"
    line = path.read_text() if path.exists() else ""
    if not line.startswith(start):
        return {}
    return {"PGPASSWORD": re.sub(r"\\(.)", r"\1", line[len(start) :].removesuffix("\n"))}


def for_mlflow(url: str) -> str:
    """The address as MLflow takes it."""
    return f"postgresql+psycopg{url.removeprefix('postgresql')}?options=-csearch_path%3Dmlflow"


def for_prefect(url: str) -> dict[str, str]:
    """The settings that make Prefect's server use it."""
    return {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg{url[len('postgresql') :]}",
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_SEARCH_PATH": "prefect, public",
    }


def prepare(home: Home, url: str) -> None:
    """Make sure that the database answers and has both schemas.

    Raises:
        BadInput: it does not answer, it is another program's, or its driver is not installed.
    """
    try:
        import psycopg
    except ImportError as error:
        raise BadInput(
            "PostgreSQL needs the project's extra `postgres`: pip install 'dense[postgres]'"
        ) from error
    password = environment(home, url).get("PGPASSWORD")
    try:
        with psycopg.connect(url, connect_timeout=SECONDS, password=password) as connection:
            taken = connection.execute("SELECT to_regclass('public.alembic_version')").fetchone()
            if taken is not None and taken[0] is not None:
                raise BadInput(f"{url} holds another program's tables; give a database of its own")
            for schema in SCHEMAS:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise BadInput(
            f"PostgreSQL at {url} does not answer as it should ({said}); start it, or give another "
            f"with --postgres, or remove {home.path / 'servers.json'} to go back to the home's own "
            "databases (`dense sync STUDY` writes a study's record into whichever is used)"
        ) from error


def _checked(url: str) -> SplitResult:
    parts = urlsplit(url)
    try:
        whole = parts.hostname and parts.username and parts.path.strip("/") and (parts.port or True)
    except ValueError:  # of a port that is no number
        whole = None
    if parts.scheme not in ("postgresql", "postgres") or not whole:
        raise BadInput("--postgres takes postgresql://USER[:PASSWORD]@HOST[:PORT]/DATABASE")
    if parts.query or parts.fragment:
        raise BadInput(
            "--postgres takes no options in its address: set PGSSLMODE, PGSSLROOTCERT and the like "
            "in the environment, where both servers' drivers read them"
        )
    return parts


def _place(parts: SplitResult) -> str:
    """What a line of a password file begins with."""
    fields = (parts.hostname, parts.port or 5432, parts.path[1:], parts.username)
    return ":".join(_escaped(str(field)) for field in fields)


def _escaped(field: str) -> str:
    """A field of a password file."""
    return unquote(field).replace("\\", "\\\\").replace(":", "\\:")
