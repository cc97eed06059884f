"""What integration tests share: things that are slow to make, made once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from conf.runtime.home import Home


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database with its whole schema; making one takes seconds."""
    from tasks.track import store

    home = Home.open(tmp_path_factory.mktemp("mlflow") / "home")
    store.bootstrap(home)
    return home.mlflow_database


@pytest.fixture
def with_mlflow(migrated_database: Path) -> Callable[[Home], Home]:
    """Gives a home its own copy of the migrated database."""

    def give(home: Home) -> Home:
        shutil.copy(migrated_database, home.mlflow_database)
        return home

    return give
