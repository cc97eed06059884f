"""Where the servers' database is, and where its password is not."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from flows.servers import postgres, programs, state, up
from flows.servers.prefect import free_port
from tasks.track import store

GIVEN = "postgresql://me:p%3Aw%40x@db.example:6543/lab"
SHOWN = "postgresql://me@db.example:6543/lab"


def test_the_password_goes_into_a_file_for_its_owner_alone(home: Home) -> None:
    assert postgres.keep_password(home, GIVEN) == SHOWN
    path = postgres.password_file(home)
    assert path.read_text() == "db.example:6543:lab:me:p\\:w@x\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert postgres.environment(home, SHOWN) == {"PGPASSWORD": "p:w@x"}
    # The same address without a password uses it; another address leaves it to the user's own.
    assert postgres.keep_password(home, SHOWN) == SHOWN and path.exists()
    assert postgres.environment(home, "postgresql://me@db.example/lab") == {}


@pytest.mark.parametrize("url", [SHOWN, "postgres://me@db.example:6543/lab"])
def test_each_server_is_told_in_its_own_way(home: Home, url: str) -> None:
    url = postgres.keep_password(home, url)
    where = "me@db.example:6543/lab"
    mlflow = f"postgresql+psycopg://{where}?options=-csearch_path%3Dmlflow"
    assert postgres.for_mlflow(url) == mlflow
    found = postgres.for_prefect(url)
    assert found["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == f"postgresql+asyncpg://{where}"


@pytest.mark.parametrize(
    "url",
    ["mysql://me@db/lab", "postgresql://db/lab", "postgresql://me@db", "postgresql://me@db:x/lab"],
)
def test_another_address_is_bad_input(home: Home, url: str) -> None:
    with pytest.raises(BadInput, match="--postgres takes postgresql://USER"):
        postgres.keep_password(home, url)
    with pytest.raises(BadInput, match="PGSSLMODE"):
        postgres.keep_password(home, f"{SHOWN}?sslmode=require")


def test_a_database_that_does_not_answer_is_one_sentence_without_the_password(home: Home) -> None:
    pytest.importorskip("psycopg")
    url = f"postgresql://me:hunter2@127.0.0.1:{free_port()}/lab"
    with pytest.raises(BadInput, match="does not answer as it should") as caught:
        up.up(programs.Ports(1, 2), detach=False, postgres=url)
    said = str(caught.value)
    assert "hunter2" not in said and "\n" not in said and "--postgres" in said
    assert "Connection refused" in said
    assert not state.path(home).exists()


def test_the_store_stays_named_when_the_servers_are_down(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = programs.recording(programs.Ports(1, 9), SHOWN)
    service = state.Service(name="mlflow", pid=1, health="h", log="l")
    state.write(home, kept.model_copy(update={"services": (service,), "prefect": "p"}))
    state.remove(home)
    assert state.read(home) == kept and state.running(home) is None
    assert store.tracking_uri(home) == "http://127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(BadInput, match="start it with `dense up`"):
        store.bootstrap(home)
    state.write(home, programs.recording(programs.Ports(1, 9), None))
    state.remove(home)
    assert not Path(state.path(home)).exists()
