"""Real data, a real trial server, and what to compare of two trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from conf.loading.digests import derived_seed
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.prepare import Prepared, prepare
from tasks.train.engine.client import TrialServer
from tasks.train.engine.local import LocalEngine
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec
from tests.specs import spec_of

EPOCHS = 4
FAULTY = Path(__file__).parent / "faulty_server.py"

MakeSpec = Callable[..., TrialSpec]


@pytest.fixture(scope="session")
def train_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home.open(tmp_path_factory.mktemp("train-home"))


@pytest.fixture(scope="session")
def study() -> Study:
    return Study.model_validate(
        {
            "name": "digits",
            "data": {"source": "builtin", "name": "digits"},
            "augment": {"rotate": {"degrees": 10, "p": 0.5}},
            "model": {"kind": "cnn", "width": 4, "dropout": 0.2},
            "train": {"epochs": EPOCHS, "batch_size": 128},
        }
    )


@pytest.fixture(scope="session")
def prepared(train_home: Home, study: Study) -> Prepared:
    return prepare(study, train_home)


@pytest.fixture(scope="session")
def server(train_home: Home) -> Iterator[TrialServer]:
    """A trial server whose trials misbehave when the study's name says so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSE_TEST_CGROUP", str(train_home.path / "group"))  # see `limited_group`
        started = TrialServer.start(train_home.logs / "trial-server.log", (str(FAULTY),))
    started.wait_ready()
    yield started
    assert started.alive, "a test ended the shared trial server"
    started.close()


@pytest.fixture
def engine(train_home: Home, server: TrialServer) -> LocalEngine:
    """Not closed after the test: the server is shared."""
    return LocalEngine(train_home, slots=2, server=server)


@pytest.fixture
def make_spec(study: Study, prepared: Prepared) -> MakeSpec:
    """A specification; `fault` names what goes wrong, keywords replace fields."""

    def make(fault: str = "none", **fields: Any) -> TrialSpec:
        config = fields.pop("config", study.trial_config)
        return spec_of(
            config, prepared, fault, **{"number": 3, "seed": derived_seed(0, 3), **fields}
        )

    return make


@pytest.fixture(scope="session")
def reference(
    train_home: Home,
    server: TrialServer,
    study: Study,
    prepared: Prepared,
    tmp_path_factory: pytest.TempPathFactory,
) -> TrialFolder:
    """The trial of `make_spec`, straight through."""
    spec = spec_of(study.trial_config, prepared, number=3, until=EPOCHS)
    return completed(train_home, server, spec, tmp_path_factory.mktemp("reference"))


def completed(home: Home, server: TrialServer, spec: TrialSpec, path: Path) -> TrialFolder:
    """A trial that ran to its end, undisturbed."""
    assert LocalEngine(home, slots=2, server=server).run(spec, path).outcome == "complete"
    return TrialFolder(path)


def curve(folder: TrialFolder) -> list[tuple[int, int, dict[str, float]]]:
    """What a curve says, times and attempts aside."""
    return [(line.epoch, line.step, line.metrics) for line in folder.read_metrics()]


def assert_same(folder: TrialFolder, reference: TrialFolder) -> None:
    """Bit for bit: the curve, the predictions, the weights."""
    assert curve(folder) == curve(reference)
    assert folder.predictions.read_bytes() == reference.predictions.read_bytes()
    assert folder.weights.read_bytes() == reference.weights.read_bytes()


def living_group(group: int) -> list[int]:
    """Processes of a group that are more than zombies."""
    found = []
    for process in psutil.process_iter():
        try:
            stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat[2]) == group and stat[0] != "Z":
            found.append(process.pid)
    return found
