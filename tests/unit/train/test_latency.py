"""How long one row takes is measured without a trace."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from models import build
from tasks.train.trial.latency import PASSES, latency_ms
from tests.unit.models.test_models import IMAGE, config


def data(batches: list[dict[str, Any]]) -> Any:
    """What the trial's data gives to validate on."""
    return SimpleNamespace(val_dataloader=lambda: batches)


BATCH = {"id": torch.arange(5), "x": torch.rand(5, 1, 8, 8), "y": torch.zeros(5).long()}


def test_one_row_is_passed_so_often_and_nothing_is_left_changed() -> None:
    module = build(config(kind="cnn", width=8, dropout=0.5), IMAGE, total_steps=10)
    seen: list[Any] = []
    plain = module.validation_step
    module.validation_step = lambda row, index: seen.append(row) or plain(row, index)  # type: ignore[method-assign]
    module.train()
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    found = latency_ms(module, data([BATCH]))
    assert found is not None and 0.0 < found < 1_000.0
    assert len(seen) > PASSES and {len(row["x"]) for row in seen} == {1}
    assert torch.equal(torch.rand(3), expected)  # nothing random was drawn
    assert module.training
    assert all(torch.equal(value, weights[name]) for name, value in module.state_dict().items())


def test_a_row_may_hold_texts() -> None:
    seen: list[Any] = []
    module = SimpleNamespace(
        device=torch.device("cpu"),
        training=False,
        eval=lambda: None,
        train=lambda mode: None,
        validation_step=lambda row, index: seen.append(row),
    )
    batch = {"x": torch.zeros(3, 2), "reference": ["a", "b", "c"]}
    assert latency_ms(module, data([batch])) is not None  # type: ignore[arg-type]
    assert seen[0]["reference"] == ["a"]


def test_where_no_row_is_validated_on_there_is_no_latency() -> None:
    assert latency_ms(SimpleNamespace(), data([])) is None  # type: ignore[arg-type]
