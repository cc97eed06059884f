"""MLflow's own database: created once, whole, and migrated."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from tasks.track import store

BOOTSTRAP = """
import sys
from pathlib import Path
from conf.runtime.home import Home
from tasks.track import store
print(store.bootstrap(Home.open(Path(sys.argv[1]))))
"""


def query(home: Home, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(home.mlflow_database)) as connection:
        return connection.execute(sql).fetchall()


def test_two_processes_make_one_database(home: Home) -> None:
    leftover = home.path / ".mlflow.db.tmp"
    leftover.write_bytes(b"half a schema")  # of one that was killed on the way
    command = [sys.executable, "-c", BOOTSTRAP, str(home.path)]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert out.strip() == store.own_uri(home)
        assert err == ""
    assert query(home, "PRAGMA journal_mode") == [("wal",)]
    ((location,),) = query(home, "SELECT artifact_location FROM experiments")
    assert location.startswith(home.artifacts.as_uri())
    assert not leftover.exists()


def test_an_older_schema_is_migrated_and_a_copy_kept(
    home: Home, with_mlflow: Callable[[Home], Home]
) -> None:
    with_mlflow(home)
    wanted = downgrade(home)
    older = query(home, "SELECT version_num FROM alembic_version")
    assert older != wanted
    store.bootstrap(home)
    assert query(home, "SELECT version_num FROM alembic_version") == wanted
    assert (home.path / f"mlflow.db.before-{older[0][0]}").exists()


def test_the_database_of_a_newer_mlflow_is_refused_and_kept(
    home: Home, with_mlflow: Callable[[Home], Home]
) -> None:
    with_mlflow(home)
    with closing(sqlite3.connect(home.mlflow_database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffff00000000'")
    with pytest.raises(BadInput, match=r"cannot be brought to the schema.*before-ffff00000000"):
        store.bootstrap(home)
    assert query(home, "SELECT version_num FROM alembic_version") == [("ffff00000000",)]


def downgrade(home: Home) -> list[tuple]:
    """Take the last migration back; answers the revision that it made."""
    from alembic import command
    from mlflow.store.db import utils

    before = query(home, "SELECT version_num FROM alembic_version")
    uri = store.own_uri(home)
    engine = utils.create_sqlalchemy_engine_with_retry(uri)
    config = utils._get_alembic_config(uri)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
    engine.dispose()
    return before
