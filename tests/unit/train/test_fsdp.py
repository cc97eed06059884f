"""When a model is divided over devices, and what cannot be."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from conf.runtime.errors import BadInput
from conf.schema.study import TrialConfig
from tasks.train.spec import TrialSpec
from tasks.train.trial import fsdp
from tasks.train.trial.fsdp import Sharded, is_large, strategy_of

GIB = 2**30


class Small(torch.nn.Module):
    """A model of four parameters; the strategy only counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Linear(3, 1)


def spec(devices: int, strategy: str, **config: Any) -> TrialSpec:
    return TrialSpec.model_validate(
        {
            "study": "made", "number": 0, "digest": "0", "config": TrialConfig(**config),
            "seed": 0, "train": "t", "validation": "v", "card": "c", "until": 1,
            "devices": devices, "strategy": strategy,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("devices", "strategy", "room", "found"),
    [
        (1, "fsdp", None, "auto"),
        (2, "ddp", 1, "ddp"),
        (2, "auto", None, "ddp"),
        (2, "auto", GIB, "ddp"),
        (2, "auto", 100, Sharded),
        (2, "fsdp", None, Sharded),
    ],
    ids=["one", "ddp", "auto-cpu", "auto-room", "auto-no-room", "fsdp"],
)
def test_a_model_is_divided_where_it_is_asked_for_or_has_no_room(
    devices: int,
    strategy: str,
    room: int | None,
    found: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fsdp, "memory", lambda: room)
    answer = strategy_of(spec(devices, strategy), Small())  # type: ignore[arg-type]
    assert answer == found if isinstance(found, str) else isinstance(answer, found)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"train": {"average": "ema"}}, "train.average: ema"),
        ({"train": {"adversarial": 0.1}}, "train.adversarial"),
        ({"train": {"precision": "float16"}}, "train.precision: float16"),
        ({"model": {"kind": "gru"}}, "model.kind: gru"),
    ],
    ids=["average", "adversarial", "precision", "kind"],
)
def test_what_cannot_be_divided_is_said_or_left_whole(
    config: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match=f"fsdp does not go with {said}; use ddp"):
        strategy_of(spec(2, "fsdp", **config), Small())  # type: ignore[arg-type]
    monkeypatch.setattr(fsdp, "memory", lambda: 1)
    assert strategy_of(spec(2, "auto", **config), Small()) == "ddp"  # type: ignore[arg-type]


def test_a_parameter_takes_sixteen_bytes_of_half_a_device() -> None:
    assert is_large(GIB // 16, GIB) and not is_large(GIB // 32, GIB)
    assert not is_large(10**12, None)
