"""Gradient checkpointing changes memory and time, no value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from conf.runtime.errors import BadInput
from conf.schema.study import Study
from models.networks.mlp import mlp_net
from models.pretrained.loading import enable_gradient_checkpointing
from models.pretrained.text_classifier import text_net
from tests.cards import as_card, as_inputs
from tests.tiny import study_of, tiny_bert

CARD = as_card({"inputs": {"kind": "text"}, "classes": ["bad", "good"]})
X = torch.tensor([[2, 4, 16, 3], [2, 10, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]) > 0


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("weights") / "bert", layers=3)


def step(bert: Path, model: dict[str, Any], again: bool) -> tuple[Tensor, dict[str, Tensor], int]:
    """Loss, gradients, and how often the first layer computed, of one step with dropout."""
    torch.manual_seed(0)
    found = Study.model_validate(study_of(**model)).model
    net = text_net(found, bert, CARD)  # type: ignore[arg-type]
    if again:
        enable_gradient_checkpointing(net)
    calls: list[int] = []
    layer = next(m for name, m in net.named_modules() if name.endswith("layer.0.attention"))
    layer.register_forward_pre_hook(lambda *_: calls.append(1))
    torch.manual_seed(1)
    loss = torch.nn.functional.cross_entropy(net(X, MASK), torch.tensor([0, 1]))
    loss.backward()
    grads = {n: p.grad for n, p in net.named_parameters() if p.grad is not None}
    return loss.detach(), grads, len(calls)


@pytest.mark.parametrize(
    "model",
    [{"dropout": 0.2}, {"tune": "lora", "lora": {"rank": 2, "targets": "query,value"}}],
    ids=["full", "lora"],
)
def test_a_step_has_the_same_values(bert: Path, model: dict[str, Any]) -> None:
    plain, plain_grads, once = step(bert, model, again=False)
    loss, grads, twice = step(bert, model, again=True)
    assert (once, twice) == (1, 2), "nothing was computed again"
    assert torch.equal(loss, plain)
    assert grads.keys() == plain_grads.keys()
    for name, grad in grads.items():
        torch.testing.assert_close(grad, plain_grads[name])


def test_a_network_without_such_layers_is_refused() -> None:
    mlp = Study(name="made", model={"kind": "mlp"}).model
    inputs = as_inputs({"kind": "table", "features": 4})
    with pytest.raises(BadInput, match="gradient_checkpointing"):
        enable_gradient_checkpointing(mlp_net(mlp, inputs, 2))  # type: ignore[arg-type]
