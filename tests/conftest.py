"""What every test shares: no library reports home, no test writes the user's home."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import conf  # sets the environment switches before anything else is imported
from conf.runtime.home import Home

__all__ = ["conf"]

# A test's own servers only; whatever the machine has configured is not touched.
for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
    os.environ.pop(name, None)
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["NO_COLOR"] = "1"


# A busy machine is no reason to fail: what is tested is never how fast. `HYPOTHESIS_EXAMPLES=1000`
# looks harder.
settings.register_profile(
    "shared",
    deadline=None,
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "40")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("shared")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Whole files to one process; of tests with real processes whole rooms, so that a trial server
    or a database that they share is started once and not once in every process."""
    from xdist.scheduler import LoadFileScheduling

    class ByRoom(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            shared = ("tests/e2e/", "tests/integration/")
            return str(Path(file).parent) if file.startswith(shared) else file

    return ByRoom(config, log)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own for every test."""
    monkeypatch.setenv("DENSE_HOME", str(tmp_path / "home"))


@pytest.fixture
def home() -> Home:
    """The test's home, opened."""
    return Home.open()


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one real Prefect server for the whole test run."""
    from flows.servers.prefect import PrefectServer

    server = PrefectServer(Home.open(tmp_path_factory.mktemp("prefect")))
    try:
        yield server.wait()
    finally:
        server.close()
