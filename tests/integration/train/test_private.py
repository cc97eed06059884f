"""Private training: what is promised is spent; a continued trial is a whole one, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from conf.loading.trial_values import apply_values
from conf.runtime.home import Home
from conf.schema.study import Study
from models.modules.dp_sgd import PrivateTraining
from tasks.prepare import Prepared, prepare
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.preflight import make_ready
from tasks.train.spec import Result
from tasks.train.trial.main import StopFlag, attempt
from tests.specs import spec_of
from tests.tiny import study_of, tiny_bert, tweets

pytestmark = pytest.mark.long

STUDY = Study.model_validate(
    {
        "name": "private",
        "data": {"source": "builtin", "name": "breast-cancer"},
        "model": {"kind": "mlp", "width": 16},
        "train": {"epochs": 6, "batch_size": 32, "lr": 0.01, "privacy": {"epsilon": 4.0}},
        "search": {"trials": 1},
    }
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(STUDY, Home.open(tmp_path_factory.mktemp("home")))


def trained(
    prepared: Prepared, folder: TrialFolder, until: int = 6, number: int = 1, **values: Any
) -> Result:
    config = apply_values(STUDY.trial_config, {f"train.{k}": v for k, v in values.items()})
    spec = spec_of(config, prepared, until=until, attempt=number)
    found = attempt(spec, folder, Reporter(None, 0), StopFlag())
    assert found is not None
    return found


def test_it_learns_and_spends_what_it_may(prepared: Prepared, tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    result = trained(prepared, folder)
    assert result.outcome == "complete", result
    spent = [line.metrics["train/epsilon"] for line in folder.read_metrics()]
    assert spent == sorted(spent) and 3.5 < spent[-1] <= 4.0
    assert result.value is not None and result.value > 0.85


def test_a_continued_trial_adds_the_same_noise(prepared: Prepared, tmp_path: Path) -> None:
    whole, halves = TrialFolder(tmp_path / "whole"), TrialFolder(tmp_path / "halves")
    once = trained(prepared, whole)
    trained(prepared, halves, until=3)
    again = trained(prepared, halves, number=2)
    for name in ("predictions.parquet", "checkpoints/weights.safetensors"):
        assert once.files[name].sha256 == again.files[name].sha256


def test_less_epsilon_is_more_noise() -> None:
    noises = []
    for epsilon in (8.0, 1.0):
        given = STUDY.train.model_copy(
            update={"privacy": STUDY.train.privacy.model_copy(update={"epsilon": epsilon})}  # type: ignore[union-attr]
        )
        private = PrivateTraining.of(given, 66)
        assert private is not None and private.spent(66) <= epsilon
        noises.append(private.noise)
    assert noises[0] < noises[1]


def test_one_row_moves_a_step_by_no_more_than_its_share() -> None:
    """Without noise, what a row of any size adds to the gradient is at most `clip`."""
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 2)
    private = PrivateTraining(epsilon=1.0, delta=1e-5, clip=0.5, rate=0.1, steps=10, batch_size=4)
    object.__setattr__(private, "__dict__", {**private.__dict__, "noise": 0.0})
    optimizer = private.optimizer(net, torch.optim.SGD(net.parameters(), lr=1.0))
    x = torch.cat([torch.zeros(3, 3), torch.full((1, 3), 1e6)])
    before = torch.cat([p.detach().flatten() for p in net.parameters()])
    plain = torch.nn.functional.cross_entropy(net(x), torch.tensor([0, 0, 0, 1]))
    plain.backward()
    optimizer.step()
    after = torch.cat([p.detach().flatten() for p in net.parameters()])
    assert float((after - before).norm()) <= 0.5 * 4 / 4 + 1e-6


def test_a_network_that_mixes_rows_is_refused() -> None:
    from conf.runtime.errors import BadInput

    net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    private = PrivateTraining(epsilon=1.0, delta=1e-5, clip=0.5, rate=0.1, steps=10, batch_size=4)
    with pytest.raises(BadInput, match=r"train\.privacy: .*BatchNorm"):
        private.optimizer(net, torch.optim.SGD(net.parameters(), lr=1.0))


@pytest.mark.parametrize("model", ["lora", "frozen", "head"])
def test_texts_are_learnt_in_private(model: str, tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    (home.path / "sources").mkdir()
    tiny_bert(home.path / "sources" / "bert")
    tweets(home.path / "sources" / "tweets.csv")
    given = study_of(kind="head") if model == "head" else study_of(tune=model)
    given["train"] = {"epochs": 2, "batch_size": 16, "lr": 0.01, "privacy": {}}
    study = Study.model_validate(given)
    prepared = prepare(study, home)
    make_ready(study, prepared.card, home, print)
    folder = TrialFolder(tmp_path / "trial")
    spec = spec_of(study.trial_config, prepared)
    found = attempt(spec, folder, Reporter(None, 0), StopFlag())
    assert found is not None and found.outcome == "complete", found
    assert folder.read_metrics()[-1].metrics["train/epsilon"] <= 8.0
