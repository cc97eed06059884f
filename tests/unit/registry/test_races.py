from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conf.runtime.home import Home
from tasks.champion import pipeline
from tasks.champion.context import ChampionContext
from tasks.registry.aliases import AliasMoved, held


@pytest.mark.parametrize("losses", [0, 1, 2])
def test_a_lost_race_for_the_alias_is_retried(monkeypatch: pytest.MonkeyPatch, losses: int) -> None:
    assert crowned(monkeypatch, losses) == "crowned"


def test_the_step_gives_up_after_losing_every_race(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AliasMoved):
        crowned(monkeypatch, 3)


def test_the_lock_of_a_model_lies_in_the_home_whatever_its_name(home: Home) -> None:
    with held(home, "../../up"):
        assert [path.parent.parent for path in home.path.parent.rglob("*.lock")] == [home.path]


def crowned(monkeypatch: pytest.MonkeyPatch, losses: int) -> Any:
    left = [AliasMoved("moved")] * losses

    def once(*_: object) -> str:
        if left:
            raise left.pop()
        return "crowned"

    monkeypatch.setattr(pipeline, "_run_once", once)
    record: Any = SimpleNamespace(state=SimpleNamespace(champion=()))
    unused: Any = None
    return pipeline.run_champion_step(ChampionContext(record, unused, unused, unused))
