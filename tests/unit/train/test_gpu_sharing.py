"""How many trials share a GPU: arithmetic, and the counters it starts from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tasks.train.engine.capacity import CONTEXT, HEADROOM, fitting, share_of
from tasks.train.spec import Result
from tasks.train.trial import resource_usage

GIB = 2**30


@pytest.mark.parametrize(
    ("held", "total", "most", "share"),
    [
        (1 * GIB, 16 * GIB, 64, 7),
        (1 * GIB, 16 * GIB, 4, 4),
        (15 * GIB, 16 * GIB, 64, 1),
        (40 * GIB, 16 * GIB, 64, 1),
        (0, 80 * GIB, 64, 64),
    ],
    ids=["memory", "cores", "one", "too-much", "tiny"],
)
def test_the_scarcest_part_says_how_many(held: int, total: int, most: int, share: int) -> None:
    assert fitting(held, total, most) == share


@given(st.integers(0, 100 * GIB), st.integers(GIB, 200 * GIB), st.integers(1, 64))
def test_trials_that_share_have_room_even_when_larger(held: int, total: int, most: int) -> None:
    share = fitting(held, total, most)
    assert 1 <= share <= most
    assert share == 1 or share * (held * (1 + HEADROOM) + CONTEXT) <= 0.9 * total + 1


def test_what_says_nothing_of_a_gpu_is_not_packed() -> None:
    facts: dict[str, Any] = {"outcome": "complete", "attempt": 1, "until": 1}
    assert share_of(None, 8) == share_of(Result(**facts), 8) == 1
    assert share_of(Result(**facts, gpu_held=GIB, gpu_total=16 * GIB), 8) == 7


def test_a_trial_reads_what_its_process_took_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resource_usage.gpu_held() is None
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 3 * GIB)
    seen = SimpleNamespace(total_memory=16 * GIB)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: seen)
    assert resource_usage.gpu_held() == (3 * GIB, 16 * GIB)
