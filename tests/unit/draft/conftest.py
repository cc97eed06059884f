"""Where drafts are made."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to write into, with data beside it and a home of its own."""
    for name in ("data", "studies"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("DENSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DENSE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DENSE_STUDIES", str(tmp_path / "studies"))
    return tmp_path
