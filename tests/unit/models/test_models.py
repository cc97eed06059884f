"""Networks by shape, optimisers by setting, and the served form."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from conf.runtime.errors import BadInput
from conf.schema.study import TrialConfig
from conf.schema.train import Train
from models import build, build_net
from models.optimizers import (
    build_optimizer,
    build_schedule,
    learning_rate_factor,
    plateau_reduction,
)
from models.serving import Serving, load_serving
from tests.cards import as_card

IMAGE = as_card(
    {
        "inputs": {"kind": "image", "height": 8, "width": 8, "channels": 1, "scale": [16.0]},
        "classes": [str(n) for n in range(10)],
    }
)
TABLE = as_card(
    {
        "inputs": {
            "kind": "table",
            "names": ["a", "b", "c"],
            "shift": [1.0, 2.0, 3.0],
            "scale": [1.0, 2.0, 4.0],
            "fill": [9.0, 9.0, 9.0],
        },
        "classes": ["no", "yes"],
    }
)


def config(**model: Any) -> TrialConfig:
    return TrialConfig.model_validate({"model": model})


@pytest.mark.parametrize("width", [4, 7, 33, 64])
@pytest.mark.parametrize("size", [(1, 8, 8), (3, 17, 5), (1, 4, 4), (3, 32, 32)], ids=str)
def test_a_cnn_takes_images_of_any_size(width: int, size: tuple[int, int, int]) -> None:
    inputs = {"kind": "image", **dict(zip(("channels", "height", "width"), size, strict=True))}
    card = as_card({"inputs": inputs, "classes": ["a", "b", "c"]})
    net = build_net(config(kind="cnn", width=width), card)
    assert net(torch.zeros(5, *size)).shape == (5, 3)


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize(
    ("card", "shape"), [(TABLE, (3,)), (IMAGE, (1, 8, 8))], ids=["table", "image"]
)
def test_an_mlp_takes_tables_and_images(depth: int, card: Any, shape: tuple) -> None:
    net = build_net(config(kind="mlp", width=8, depth=depth), card)
    assert net(torch.zeros(5, *shape)).shape == (5, len(card.classes))


def test_a_model_that_does_not_take_the_data_is_refused_with_the_remedy() -> None:
    with pytest.raises(BadInput, match="kind: cnn does not take data of kind table; use mlp or"):
        build_net(config(kind="cnn"), TABLE)


@pytest.mark.parametrize("kind", ["cnn", "mlp"])
def test_gradients_do_not_depend_on_micro_batches(kind: str) -> None:
    """No layer mixes rows: the gradient of a batch is the mean of its halves' gradients."""
    torch.manual_seed(0)
    net = build_net(config(kind=kind, width=8, dropout=0.0), IMAGE)
    x, y = torch.randn(8, 1, 8, 8), torch.arange(8)

    def gradient(rows: slice) -> torch.Tensor:
        net.zero_grad()
        torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
        return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])

    halves = (gradient(slice(0, 4)) + gradient(slice(4, 8))) / 2
    torch.testing.assert_close(gradient(slice(0, 8)), halves)


def test_steps_give_what_a_trial_needs() -> None:
    module = build(config(kind="cnn", width=4), IMAGE, total_steps=10)
    batch = {"id": torch.arange(6), "x": torch.randn(6, 1, 8, 8), "y": torch.arange(6)}
    module.loss_weight = 2.0
    weighted = module.eval().training_step(batch, 0)
    module.loss_weight = 1.0
    torch.testing.assert_close(weighted, 2 * module.training_step(batch, 0))
    said = module.validation_step(batch, 0)
    assert set(said) == {"id", "target", "probabilities"}
    torch.testing.assert_close(said["probabilities"].sum(1), torch.ones(6))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop", "adafactor"])
def test_weights_decay_but_biases_do_not(name: Any) -> None:
    net = torch.nn.Linear(3, 2)
    optimizer = build_optimizer(Train(optimizer=name, lr=0.5, weight_decay=0.25), net.parameters())
    groups = [(len(g["params"]), g["weight_decay"], g["lr"]) for g in optimizer.param_groups]
    assert groups == [(1, 0.25, 0.5), (1, 0.0, 0.5)]


def test_a_schedule_falls_from_its_peak_to_zero() -> None:
    factors = [learning_rate_factor("cosine", step, 10) for step in range(12)]
    assert factors[0] == 1.0 and factors[5] == pytest.approx(0.5)
    assert factors[10] == factors[11] == pytest.approx(0.0)
    assert factors == sorted(factors, reverse=True)
    assert learning_rate_factor("constant", 99, 10) == 1.0
    optimizer = build_optimizer(Train(lr=0.5), torch.nn.Linear(3, 2).parameters())
    schedule = build_schedule(Train(lr=0.5), optimizer, 10)
    assert schedule.get_last_lr() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([], 1.0),
        ([2.0, 1.0, 0.5, 0.4], 1.0),
        ([1.0, 0.999, 0.998], 1 / 3),
        ([1.0, 1.0, 1.0, 1.0, 1.0], 1 / 9),
        ([1.0, 1.0, 0.5, 0.5], 1.0),
        ([0.0, 0.0, 0.0], 1 / 3),
        ([-1.0, -2.0, -2.0, -2.0], 1 / 3),
    ],
    ids=["none", "falling", "hardly", "twice", "in time", "zero", "negative"],
)
def test_a_plateau_lowers_the_rate(losses: list[float], expected: float) -> None:
    assert plateau_reduction(losses) == pytest.approx(expected)


def test_a_lowered_rate_holds_from_the_next_step() -> None:
    train = Train(lr=0.9, schedule="plateau", optimizer="sgd")
    optimizer = build_optimizer(train, torch.nn.Linear(3, 2).parameters())
    course = build_schedule(train, optimizer, 10)
    course.reduction = 1 / 3
    optimizer.step()
    course.step()
    assert course.get_last_lr() == pytest.approx([0.3, 0.3])
    again = build_schedule(train, optimizer, 10)
    again.load_state_dict(course.state_dict())
    assert again.reduction == 1 / 3


def test_the_served_form_takes_raw_images() -> None:
    net = build_net(config(kind="cnn", width=4), IMAGE).eval()
    served = Serving(net, IMAGE.inputs)
    raw = torch.randint(0, 17, (5, 8, 8))
    expected = torch.softmax(net(raw[:, None] / 16.0), dim=1)
    torch.testing.assert_close(served(raw), expected)
    torch.testing.assert_close(served(raw[..., None]), expected)


def test_the_served_form_fills_and_scales_tables() -> None:
    net = build_net(config(kind="mlp", width=4), TABLE).eval()
    served = Serving(net, TABLE.inputs)
    raw = torch.tensor([[1.0, float("nan"), 7.0]])
    expected = torch.softmax(net(torch.tensor([[0.0, 3.5, 1.0]])), dim=1)
    torch.testing.assert_close(served(raw), expected)


def test_saved_weights_are_served(tmp_path: Path) -> None:
    module = build(config(kind="cnn", width=4), IMAGE, total_steps=1).eval()
    save_file(dict(module.state_dict()), tmp_path / "weights.safetensors")
    served = load_serving(config(kind="cnn", width=4), IMAGE, tmp_path / "weights.safetensors")
    raw = torch.rand(3, 8, 8) * 16
    torch.testing.assert_close(served(raw), torch.softmax(module(raw[:, None] / 16), dim=1))


def test_what_the_room_gives_is_hidden_by_none_of_its_modules() -> None:
    """A module that is loaded later takes its name in the package."""
    import models

    for file in Path(models.__file__ or "").parent.glob("*.py"):
        import_module(f"models.{file.stem}")
    assert all(callable(getattr(models, name)) for name in models.__all__)
