"""The writer thread's turns, one after the other: no thread, and no MLflow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tasks.study.state import State
from tasks.track.ledger import Ledger
from tasks.track.writer import Tracker


def test_an_end_that_comes_while_it_looks_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bool] = []

    def write_study(state: State, *, live: bool) -> None:
        written.append(live)

    ledger: Any = SimpleNamespace(write_study=write_study)
    tracker = Tracker(cast(Ledger, ledger), State("maximize"), poll=0.0)

    def look() -> None:
        tracker._next_look = float("inf")
        tracker._pending.close(())

    monkeypatch.setattr(tracker, "_look", look)
    tracker._pending.take(0.0)  # the parent's beginning
    tracker._run()
    assert written == [False] and not tracker.unwritten
