"""Homes for the real command: MLflow's database is made once and copied; one Prefect server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conf.runtime.home import Home
from tests.e2e.command import Command


@pytest.fixture(scope="session")
def used_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which MLflow's database is migrated and the digits are prepared."""
    from conf.loading.load import load_study
    from tasks.prepare import prepare
    from tasks.track.store import bootstrap

    home = Home.open(tmp_path_factory.mktemp("used") / "home")
    bootstrap(home)
    prepare(load_study("digits"), home)
    return home.path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs of the command take their time."""
    for item in items:
        if "e2e" in item.path.parts and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture
def make_command(
    used_home: Path, prefect_api: str, tmp_path: Path
) -> Iterator[Callable[[str], Command]]:
    """Commands with a home of their own each; none leaves a process behind."""
    made = []

    def make(name: str = "home") -> Command:
        home = tmp_path / name / "home"
        home.mkdir(parents=True)
        shutil.copy(used_home / "mlflow.db", home)
        shutil.copytree(used_home / "data", home / "data")
        made.append(Command(home, {"PREFECT_API_URL": prefect_api}))
        return made[-1]

    yield make
    for command in made:
        for process in command.processes():
            process.kill()


@pytest.fixture(scope="session")
def straight(
    used_home: Path, prefect_api: str, tmp_path_factory: pytest.TempPathFactory
) -> Command:
    """The small study of four epochs, run to its end by nobody disturbed."""
    home = tmp_path_factory.mktemp("straight") / "home"
    shutil.copytree(used_home, home)
    command = Command(home, {"PREFECT_API_URL": prefect_api})
    command.json("run", str(command.study(epochs=4, champion=True)))
    return command


@pytest.fixture
def dense(make_command: Callable[[str], Command]) -> Command:
    """The command with a used home."""
    return make_command("home")
