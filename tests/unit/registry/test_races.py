from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conf.runtime.home import Home
from tasks.champion import pipeline as crowning
from tasks.registry.aliases import AliasMoved, held


@pytest.mark.parametrize("losses", [0, 1, 2])
def test_who_loses_a_race_for_the_alias_compares_again(
    monkeypatch: pytest.MonkeyPatch, losses: int
) -> None:
    assert crowned(monkeypatch, losses) == "crowned"


def test_who_always_loses_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AliasMoved):
        crowned(monkeypatch, 3)


def test_whatever_a_model_is_called_its_lock_lies_in_the_home(home: Home) -> None:
    with held(home, "../../up"):
        assert [path.parent.parent for path in home.path.parent.rglob("*.lock")] == [home.path]


def crowned(monkeypatch: pytest.MonkeyPatch, losses: int) -> Any:
    left = [AliasMoved("moved")] * losses

    def once(*_: object) -> str:
        if left:
            raise left.pop()
        return "crowned"

    monkeypatch.setattr(crowning, "_crown", once)
    record: Any = SimpleNamespace(state=SimpleNamespace(champion=()))
    nobody: Any = None
    return crowning.crown(record, nobody, nobody, nobody, nobody)
