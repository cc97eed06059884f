from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tasks.champion import crown as crowning
from tasks.champion.registry import AliasMoved


@pytest.mark.parametrize("losses", [0, 1, 2])
def test_who_loses_a_race_for_the_alias_compares_again(
    monkeypatch: pytest.MonkeyPatch, losses: int
) -> None:
    assert crowned(monkeypatch, losses) == "crowned"


def test_who_always_loses_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AliasMoved):
        crowned(monkeypatch, 3)


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
