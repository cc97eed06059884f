"""`gpu_share: auto`: measured once where there are GPUs, one trial each where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.runtime.home import Home
from conf.schema.study import Study
from flows.study import engines
from tasks.prepare import Prepared
from tests.cards import as_card
from tests.unit.flows.sessions import FakeEngine, session_of

STUDY = Study(name="made", resources={"gpu_share": "auto"})


def measured(home: Home, study: Study, engine: FakeEngine, *, stopping: bool = False) -> Study:
    """The study after the measurement."""
    folder = Path("data")
    data = Prepared("key", folder, folder / "train", folder / "validation", as_card({}))
    with session_of(home, study, engine, stopping=stopping, data=data) as session:
        session.measure_gpu_share()
        return session.study


@pytest.fixture(autouse=True)
def no_limit_by_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "visible_gpus", tuple)


def test_the_memory_of_a_short_trial_sets_the_share(home: Home) -> None:
    engine = FakeEngine(on_gpu=True)
    study = measured(home, STUDY, engine)
    assert study.resources.gpu_share == engine.used[0].share == 7
    (spec,) = engine.specs
    assert spec.gpu_share == 1 and spec.config.train.steps_per_epoch == engines.STEPS
    assert not list(home.path.glob(".measure-*")), "the measurement left something"


def test_nothing_is_measured_where_nothing_is_left_to_do(home: Home) -> None:
    engine = FakeEngine(on_gpu=True)
    measured(home, STUDY, engine, stopping=True)
    assert not engine.specs


@pytest.mark.parametrize("share", ["auto", 4])
def test_without_a_gpu_the_share_is_one(share: str | int, home: Home) -> None:
    engine = FakeEngine(on_gpu=False)
    study = Study(name="made", resources={"gpu_share": share})
    assert measured(home, study, engine).resources.gpu_share == 1
    assert not engine.specs


def test_a_given_share_is_not_measured(home: Home) -> None:
    engine = FakeEngine(on_gpu=True)
    study = Study(name="made", resources={"gpu_share": 3})
    assert measured(home, study, engine).resources.share == 3
    assert not engine.specs
