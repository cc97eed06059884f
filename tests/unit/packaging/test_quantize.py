from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from conf.schema.model import TextCnn
from models.networks.text_cnn import TextCnnNet
from models.serving import Serving
from tasks.packaging import quantize
from tasks.packaging.pyfunc_predictor import load_program
from tasks.packaging.torch_export import export_program
from tests.cards import as_inputs

INPUTS: Any = as_inputs({"kind": "image", "high": 16, "shift": [8.0], "scale": [8.0]})


def small_net() -> Serving:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.Flatten(), nn.Linear(512, 10)
    )
    return Serving(net, INPUTS)


def rows(count: int = 40) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 16, (count, 8, 8))


def test_weights_in_8_bits_answer_nearly_alike_and_take_a_quarter(tmp_path: Path) -> None:
    serving, x = small_net(), torch.from_numpy(rows())
    before = serving(x).detach()
    export_program(serving, (8, 8), tmp_path / "before.pt2")
    quantize.quantize_weights(serving)
    after = serving(x).detach()
    assert 0 < (after - before).abs().max() < 0.02
    export_program(serving, (8, 8), tmp_path / "after.pt2")
    program = torch.export.load(tmp_path / "after.pt2")
    kept = {name: value.dtype for name, value in program.state_dict.items()}
    assert sum(dtype == torch.int8 for dtype in kept.values()) == 2, kept  # the first is too small
    assert not [name for name in kept if name.endswith("2.weight") or name.endswith("4.weight")]
    sizes = [(tmp_path / f"{name}.pt2").stat().st_size for name in ("before", "after")]
    assert sizes[1] < 0.75 * sizes[0]
    assert np.allclose(load_program(str(tmp_path / "after.pt2"))(rows(1)), after[:1], atol=1e-6)


def test_a_layer_of_zeros_stays_one() -> None:
    layer = nn.Linear(64, 64)
    nn.init.zeros_(layer.weight)
    net = nn.Sequential(layer)
    quantize.quantize_weights(net)
    assert torch.equal(net[0].weight, torch.zeros(64, 64))


def test_a_network_of_texts_is_packed_whole() -> None:
    torch.manual_seed(0)
    net = TextCnnNet(TextCnn(width=16, longest=3), 100, 0, 2).eval()
    tokens = torch.randint(1, 100, (4, 9))
    before = net(tokens, tokens > 0)
    quantize.quantize_weights(net)
    assert 0 < (net(tokens, tokens > 0) - before).abs().max() < 0.02
    left = {name for name, each in net.named_parameters() if each.ndim > 1}
    assert left == {"filters.0.weight", "head.weight"}  # which are too small


@pytest.mark.parametrize(
    "int8",
    [pytest.param(False, id="as it is", marks=pytest.mark.long), pytest.param(True, id="int8")],
)
def test_onnx_answers_like_the_graph(tmp_path: Path, int8: bool) -> None:
    serving = small_net()
    export_program(serving, (8, 8), tmp_path / "program.pt2")
    wanted = load_program(str(tmp_path / "program.pt2"))(rows())
    path = quantize.to_onnx(tmp_path / "program.pt2", int8=int8)
    answer = load_program(str(path))
    for count in (1, 40):
        assert np.abs(answer(rows(count)) - wanted[:count]).max() < (0.05 if int8 else 1e-5)


@pytest.mark.parametrize("share", [0.0, 0.9], ids=["none", "most"])
def test_what_is_zero_takes_a_bit_and_the_answers_stay(share: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 1024), nn.ReLU(), nn.Linear(1024, 10))
    serving, x = Serving(net, INPUTS), torch.from_numpy(rows())
    for layer in (net[1], net[3]):
        with torch.no_grad():
            layer.weight *= torch.rand_like(layer.weight) >= share
    before = serving(x).detach()
    export_program(serving, (8, 8), tmp_path / "before.pt2")
    quantize.store_sparse(serving)
    assert torch.equal(serving(x).detach(), before)
    export_program(serving, (8, 8), tmp_path / "after.pt2")
    sizes = [(tmp_path / f"{name}.pt2").stat().st_size for name in ("before", "after")]
    won = max(0, 4 * share - 1 / 8) * 1024 * (64 + 10)  # four bytes a zero, less a bit a weight
    assert sizes[0] - sizes[1] == pytest.approx(won, abs=30_000)  # and what the graph takes
    assert np.allclose(load_program(str(tmp_path / "after.pt2"))(rows(1)), before[:1], atol=1e-6)
