from __future__ import annotations

from pathlib import Path

import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from flows.servers.prefect import PrefectServer, configured_api


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    return Home.open(tmp_path / "home")


def test_no_file_names_no_api(home: Home) -> None:
    assert configured_api(home) is None


@pytest.mark.parametrize("content", ["{", "[]"])
def test_servers_that_cannot_be_read_are_bad_input(home: Home, content: str) -> None:
    (home.path / "servers.json").write_text(content)
    with pytest.raises(BadInput, match=r"servers\.json cannot be read"):
        configured_api(home)


@pytest.mark.parametrize("content", ["active = ", "profiles = 1"])
def test_profiles_that_cannot_be_read_are_bad_input(
    home: Home, tmp_path: Path, content: str
) -> None:
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect/profiles.toml").write_text(content)
    with pytest.raises(BadInput, match=r"profiles\.toml cannot be read"):
        configured_api(home)


@pytest.mark.long
def test_the_server_starts_where_another_project_has_flows(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/__init__.py").write_text("raise RuntimeError('of another project')")
    monkeypatch.chdir(tmp_path)
    with PrefectServer(home) as server:
        assert server.wait() == server.url
