"""However a step's rows are divided over passes and processes, the trial is the same."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from conf.runtime.home import Home
from conf.schema.study import Study, TrialConfig
from tasks.prepare import Prepared
from tasks.train.engine.client import TrialServer
from tasks.train.engine.local import LocalEngine
from tasks.train.folder import TrialFolder
from tests.integration.train.conftest import EPOCHS, MakeSpec, completed
from tests.integration.train.test_processes import (
    assert_nothing_left,
    began,
    group_of,
    living_group,
)
from tests.specs import spec_of
from tests.waiting import wait_until


def config_with(config: TrialConfig, **train: Any) -> TrialConfig:
    """Without dropout, whose masks depend on the division; with other settings of `train`."""
    raw = config.model_dump(mode="json")
    raw["model"]["dropout"] = 0.0
    raw["train"] |= train
    return TrialConfig.model_validate(raw)


def losses(folder: TrialFolder) -> list[float]:
    return [line.metrics["train/loss"] for line in folder.read_metrics()]


@pytest.fixture(scope="module")
def whole(
    train_home: Home,
    server: TrialServer,
    study: Study,
    prepared: Prepared,
    tmp_path_factory: pytest.TempPathFactory,
) -> TrialFolder:
    """The trial on one device, a whole batch at once."""
    spec = spec_of(config_with(study.trial_config), prepared, number=3, until=EPOCHS)
    return completed(train_home, server, spec, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize(
    "fields",
    [
        {"halvings": 1},
        {"halvings": 3},
        {"micro": 48},
        {"devices": 2},
        {"devices": 2, "halvings": 1},
    ],
    ids=["halved", "halved-thrice", "micro-batch", "two-devices", "two-devices-halved"],
)
def test_a_division_follows_the_same_trajectory(
    fields: dict[str, Any],
    engine: LocalEngine,
    train_home: Home,
    make_spec: MakeSpec,
    whole: TrialFolder,
    tmp_path: Path,
) -> None:
    micro = fields.pop("micro", None)
    config = config_with(make_spec().config, micro_batch=micro)
    folder = TrialFolder(tmp_path)
    outcome = engine.run(make_spec(config=config, **fields), folder.path)
    assert outcome.outcome == "complete", outcome
    assert losses(folder) == pytest.approx(losses(whole), rel=1e-3)
    steps = [[line.step for line in each.read_metrics()] for each in (folder, whole)]
    assert steps[0] == steps[1]
    assert_nothing_left(train_home, folder)


def test_two_devices_resume_from_a_rung(
    engine: LocalEngine, make_spec: MakeSpec, whole: TrialFolder, tmp_path: Path
) -> None:
    config = config_with(make_spec().config)
    first = engine.run(make_spec(config=config, devices=2, until=2), tmp_path)
    assert (first.outcome, first.epochs) == ("paused", 2)
    spec = make_spec(config=config, devices=2, attempt=2)
    assert engine.run(spec, tmp_path).outcome == "complete"
    assert losses(TrialFolder(tmp_path)) == pytest.approx(losses(whole), rel=1e-3)


def test_a_divided_model_goes_on_with_any_number_of_devices(
    engine: LocalEngine, train_home: Home, make_spec: MakeSpec, whole: TrialFolder, tmp_path: Path
) -> None:
    config, folder = config_with(make_spec().config), TrialFolder(tmp_path)
    divided = {"devices": 2, "strategy": "fsdp"}
    for attempt, (until, fields) in enumerate([(1, divided), (2, {}), (4, divided)], start=1):
        spec = make_spec(config=config, until=until, attempt=attempt, **fields)
        outcome = engine.run(spec, folder.path)
        assert outcome.outcome == ("complete" if until == 4 else "paused"), outcome
    assert losses(folder) == pytest.approx(losses(whole), rel=1e-3)
    weights = load_file(folder.weights)
    alone = load_file(whole.weights)
    assert {name: each.shape for name, each in weights.items()} == {
        name: each.shape for name, each in alone.items()
    }
    assert_nothing_left(train_home, folder)


@pytest.mark.parametrize(
    ("fault", "cause"), [("raise", "error"), ("nan", "nan"), ("die-in-batch", "killed")]
)
def test_a_failure_on_devices_is_told_by_its_cause(
    fault: str,
    cause: str,
    engine: LocalEngine,
    train_home: Home,
    make_spec: MakeSpec,
    tmp_path: Path,
) -> None:
    outcome = engine.run(make_spec(fault, devices=2), tmp_path)
    assert (outcome.outcome, outcome.cause) == ("failed", cause), outcome
    assert_nothing_left(train_home, TrialFolder(tmp_path))


def test_a_stop_reaches_all_devices(
    train_home: Home, make_spec: MakeSpec, server: Any, tmp_path: Path
) -> None:
    engine = LocalEngine(train_home, slots=2, server=server)
    ends: list[Any] = []
    spec = make_spec("slow", devices=2)
    thread = threading.Thread(target=lambda: ends.append(engine.run(spec, tmp_path)))
    thread.start()
    folder = TrialFolder(tmp_path)
    wait_until(lambda: began(folder) and len(living_group(group_of(folder))) >= 3)
    wait_until(folder.metrics.exists)
    engine.stop(grace=60.0)
    thread.join(90)
    assert (ends[0].outcome, ends[0].cause) == ("interrupted", "user")
    assert ends[0].epochs >= 1
    assert_nothing_left(train_home, folder)


def test_clipping_and_precision_are_settings(
    engine: LocalEngine, make_spec: MakeSpec, whole: TrialFolder, tmp_path: Path
) -> None:
    clipped = config_with(make_spec().config, clip=1e-3, optimizer="sgd")
    free = config_with(make_spec().config, optimizer="sgd")
    coarse = config_with(make_spec().config, precision="bfloat16")
    found = {}
    for name, config in {"clipped": clipped, "free": free, "coarse": coarse}.items():
        assert engine.run(make_spec(config=config), tmp_path / name).outcome == "complete"
        found[name] = losses(TrialFolder(tmp_path / name))
    # With gradients of norm 1e-3 the network hardly moves.
    assert found["clipped"][-1] > found["free"][-1]
    assert found["coarse"] != losses(whole)
    assert found["coarse"] == pytest.approx(losses(whole), rel=0.2)
