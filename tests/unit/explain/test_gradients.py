from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from conf.runtime.errors import BadInput
from models.serving import Serving, TextServing
from tasks.explain.integrated_gradients import embedding_of, of_pixels, of_tokens
from tests.cards import as_inputs

GREY = {"kind": "image", "height": 8, "width": 8, "channels": 1, "low": 0, "high": 16}
COLOUR = {**GREY, "channels": 3}


def image_net(inputs: dict[str, object]) -> Serving:
    torch.manual_seed(0)
    channels = int(str(inputs["channels"]))
    net = nn.Sequential(
        nn.Conv2d(channels, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 36, 3), nn.Tanh()
    )
    scaling = {"shift": [5.0] * channels, "scale": [4.0] * channels}
    return Serving(net, as_inputs({**inputs, **scaling}))


@pytest.mark.parametrize("inputs", [GREY, COLOUR], ids=["grey", "colour"])
def test_pixels_sum_to_what_the_answer_rises_above_an_average_image(
    inputs: dict[str, object],
) -> None:
    serving = image_net(inputs)
    shape = (8, 8) if inputs["channels"] == 1 else (8, 8, 3)
    image = np.random.default_rng(0).uniform(0, 16, shape)
    weights = of_pixels(serving, image, 1)
    empty = torch.full((1, *shape), 5.0)
    with torch.no_grad():
        rise = serving(torch.from_numpy(image)[None])[0, 1] - serving(empty)[0, 1]
    assert weights.shape == (8, 8)
    assert weights.sum() == pytest.approx(float(rise), abs=1e-4)
    assert np.array_equal(weights, of_pixels(serving, image, 1))  # the same twice


class Bag(nn.Module):
    """Class 1 for token 7, class 0 for token 3; a small embedding stands beside the vocabulary."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds, self.words = nn.Embedding(2, 2), nn.Embedding(10, 2)
        with torch.no_grad():
            self.words.weight.zero_()
            self.words.weight[7, 1], self.words.weight[3, 0] = 2.0, 2.0

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return (self.words(x) * mask.unsqueeze(-1)).sum(1)


def test_tokens_that_speak_for_and_against_an_answer_and_special_ones_say_nothing() -> None:
    serving, tokens = TextServing(Bag()), np.array([1, 7, 5, 3, 7, 2])
    special = np.array([True, False, False, False, False, True])
    weights = of_tokens(serving, tokens, 1, 0, special)
    assert weights[1] > 0 and weights[4] > 0 > weights[3]
    assert weights[[0, 2, 5]] == pytest.approx(0)
    said = serving(torch.from_numpy(tokens)[None], torch.ones(1, 6, dtype=torch.bool))
    assert weights.sum() == pytest.approx(float(said[0, 1].detach()) - 0.5, abs=1e-4)


def test_a_network_without_an_embedding_says_so() -> None:
    with pytest.raises(BadInput, match="embeds no tokens"):
        embedding_of(nn.Linear(2, 2))


def test_without_the_library_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "captum"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(BadInput, match=r"pip install 'dense\[explain\]'"):
        of_pixels(image_net(GREY), np.zeros((8, 8)), 0)
