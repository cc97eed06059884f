"""Which MLflow is used, and what is said of one that cannot be."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from tasks.track import store


@pytest.mark.parametrize(
    ("environment", "servers", "expected"),
    [
        pytest.param(None, None, "own", id="own-database"),
        pytest.param(None, '{"mlflow": "http://s:5000"}', "http://s:5000", id="named-server"),
        pytest.param(None, '{"prefect": "http://p/api"}', "own", id="other-servers-only"),
        pytest.param("http://e:1", '{"mlflow": "http://s:5000"}', "http://e:1", id="environment"),
    ],
)
def test_the_address_is_the_first_that_is_named(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    environment: str | None,
    servers: str | None,
    expected: str,
) -> None:
    if environment:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", environment)
    if servers:
        (home.path / "servers.json").write_text(servers)
    own = f"sqlite:///{home.path}/mlflow.db"
    assert store.tracking_uri(home) == (own if expected == "own" else expected)


@pytest.mark.parametrize("content", ["{", "[]"], ids=["torn", "a-list"])
def test_servers_that_cannot_be_read_are_one_sentence(home: Home, content: str) -> None:
    (home.path / "servers.json").write_text(content)
    with pytest.raises(BadInput, match=r"servers\.json cannot be read"):
        store.tracking_uri(home)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("http://127.0.0.1:9", id="nobody-listens"),
        pytest.param("./mlruns", id="file-store"),
        pytest.param("nonsense://x", id="unknown-scheme"),
        # MLflow asks a database again and again before it gives up.
        pytest.param("postgresql://u@127.0.0.1:9/x", id="no-database", marks=pytest.mark.long),
    ],
)
def test_an_mlflow_that_does_not_answer_is_bad_input(
    home: Home, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(home.path)
    with pytest.raises(BadInput) as caught:
        store.bootstrap(home)
    text = str(caught.value)
    assert f"MLflow at {uri} does not answer" in text
    assert "unset MLFLOW_TRACKING_URI" in text
    assert "\n" not in text
    assert not home.mlflow_database.exists()


def test_a_database_that_is_none_is_bad_input_and_stays(home: Home) -> None:
    home.mlflow_database.write_bytes(b"a photograph of a cat" * 100)
    before = home.mlflow_database.read_bytes()
    with pytest.raises(BadInput, match="move it away"):
        store.bootstrap(home)
    assert home.mlflow_database.read_bytes() == before


def test_warming_up_says_nothing_of_what_goes_wrong(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://x")
    store.warm(home)


def test_importing_the_room_loads_no_mlflow_and_no_torch() -> None:
    code = (
        "import sys, tasks.track.writer, tasks.track.sync;"
        "print([m for m in ('mlflow', 'torch', 'sqlalchemy', 'pandas', 'prefect')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_mlflow_that_goes_away_at_work_is_a_sentence() -> None:
    from mlflow.exceptions import MlflowException

    with (
        pytest.raises(DenseError, match=r"^MLflow at http://there failed \(gone\); go on$"),
        store.at_work("http://there", "go on"),
    ):
        raise MlflowException("gone\nand more")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("postgresql://me:hunter2@db/mlflow", "postgresql://me:***@db/mlflow"),
        ("http://me:p@ss:w@there:5000", "http://me:***@there:5000"),
        ("http://there:5000/a@b", "http://there:5000/a@b"),
        ("sqlite:////home/me/mlflow.db", "sqlite:////home/me/mlflow.db"),
    ],
)
def test_no_password_is_shown(uri: str, expected: str) -> None:
    assert store.shown(uri) == expected
    assert store.shown(f"no answer from {uri}, twice") == f"no answer from {expected}, twice"


def test_a_refusal_shows_no_password(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(BadInput, match="does not answer") as refused:
        store.bootstrap(home)
    assert "hunter2" not in str(refused.value)
