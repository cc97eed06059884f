"""`gpu_share: auto`: measured once where there are GPUs, one trial each where there are none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conf.runtime.home import Home
from conf.schema.study import Study
from flows.study import gpu_sharing, session
from flows.study.session import Session
from tasks.study.policy import Stop, Wait
from tasks.train.engine.outcome import Outcome
from tasks.train.spec import Result, TrialSpec

GIB = 2**30
STUDY = Study(name="made", resources={"gpu_share": "auto"})


class FakeEngine:
    """An engine whose trials hold a GiB of a device of 16."""

    def __init__(self, on_gpu: bool) -> None:
        self.on_gpu = on_gpu
        self.specs: list[TrialSpec] = []
        self.used: list[Any] = []

    def run(self, spec: TrialSpec, folder: Path) -> Outcome:
        self.specs.append(spec)
        Result(outcome="complete", attempt=1, until=1, gpu_held=GIB, gpu_total=16 * GIB).write(
            folder
        )
        return Outcome("complete")

    def use(self, resources: Any) -> None:
        self.used.append(resources)


def packed(engine: FakeEngine, study: Study, tmp_path: Path, action: Any) -> Session:
    """A session that has packed."""
    found = Session.__new__(Session)
    found.home = Home.open(tmp_path / "home")
    found.engine = engine  # type: ignore[assignment]
    found.opened = SimpleNamespace(study=study)  # type: ignore[assignment]
    data = Path("data")
    found._data = SimpleNamespace(train=data, validation=data, card_path=data)  # type: ignore[assignment]
    found._display = SimpleNamespace(say=lambda line: None, doing=lambda what: None)  # type: ignore[assignment]
    found.next_action = lambda: action  # type: ignore[method-assign]
    found.pack()
    return found


@pytest.fixture(autouse=True)
def no_limit_by_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_sharing, "visible_gpus", tuple)


def test_a_gpu_takes_as_many_as_a_short_trial_says(tmp_path: Path) -> None:
    engine = FakeEngine(on_gpu=True)
    found = packed(engine, STUDY, tmp_path, Wait())
    assert found.study.resources.gpu_share == engine.used[0].share == 7
    (spec,) = engine.specs
    assert spec.gpu_share == 1 and spec.config.train.steps_per_epoch == gpu_sharing.STEPS
    assert not list(found.home.path.glob(".measure-*")), "the measurement left something"


def test_nothing_is_measured_where_nothing_is_left_to_do(tmp_path: Path) -> None:
    engine = FakeEngine(on_gpu=True)
    packed(engine, STUDY, tmp_path, Stop("trials"))
    assert not engine.specs


@pytest.mark.parametrize("share", ["auto", 4])
def test_without_a_gpu_nobody_shares_one(share: Any, tmp_path: Path) -> None:
    engine = FakeEngine(on_gpu=False)
    study = Study(name="made", resources={"gpu_share": share})
    assert packed(engine, study, tmp_path, Wait()).study.resources.gpu_share == 1
    assert not engine.specs


def test_a_number_is_taken_as_it_is(tmp_path: Path) -> None:
    engine = FakeEngine(on_gpu=True)
    study = Study(name="made", resources={"gpu_share": 3})
    assert packed(engine, study, tmp_path, Wait()).study.resources.share == 3
    assert not engine.specs and session.Stop is Stop
