"""The network that learns texts from scratch: what it says, and what it does not look at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conf.runtime.errors import BadInput
from conf.schema.model import TextCnn
from conf.schema.study import TrialConfig
from data.loading.collate_texts import padded
from models import build, build_net
from models.networks.text_cnn import TextCnnNet
from tests.cards import as_card

PAD, WORDS = 0, 30
CARD: dict[str, Any] = {
    "inputs": {"kind": "text", "vocabulary": WORDS, "pad": PAD, "longest": 12},
    "classes": ["no", "yes", "perhaps"],
}
Texts = list[list[int]]
TEXTS = st.lists(
    st.lists(st.integers(1, WORDS - 1), min_size=1, max_size=12), min_size=1, max_size=5
)


def config(**model: Any) -> TrialConfig:
    return TrialConfig.model_validate({"model": {"kind": "text_cnn", "width": 4, **model}})


def answers(net: torch.nn.Module, texts: Texts) -> torch.Tensor:
    tokens, mask = padded(texts, PAD)
    with torch.no_grad():
        said: torch.Tensor = net(torch.from_numpy(tokens), torch.from_numpy(mask))
    return said


@given(texts=TEXTS, pool=st.sampled_from(["max", "mean", "both"]), longest=st.integers(1, 5))
def test_predictions_do_not_depend_on_the_other_texts_of_a_batch(
    texts: Texts, pool: str, longest: int
) -> None:
    net = build_net(config(pool=pool, longest=longest), as_card(CARD)).eval()
    together = answers(net, texts)
    assert together.shape == (len(texts), 3)
    alone = torch.cat([answers(net, [text]) for text in texts])
    torch.testing.assert_close(together, alone)


def plainly(net: TextCnnNet, text: list[int], pool: str) -> np.ndarray:
    """What the paper says, run by run."""
    zeros = np.zeros((16, 4), dtype=np.float32)
    vectors = np.concatenate([net.embedding.weight.detach().numpy()[text], zeros])
    found = []
    for layer in net.filters:
        assert isinstance(layer, torch.nn.Conv1d) and layer.bias is not None
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        length = weight.shape[2]
        runs = [vectors[start : start + length] for start in range(len(text))]
        said = np.array([[np.sum(w.T * run) for w in weight] + bias for run in runs]).clip(min=0)
        found += [said.max(axis=0)] * (pool != "mean") + [said.mean(axis=0)] * (pool != "max")
    head = net.head
    return np.concatenate(found) @ head.weight.detach().numpy().T + head.bias.detach().numpy()


@pytest.mark.parametrize("pool", ["max", "mean", "both"])
def test_filters_cover_every_window_of_tokens(pool: str) -> None:
    net = TextCnnNet(TextCnn(width=4, longest=3, pool=pool), WORDS, PAD, 2).eval()
    for text in ([5], [5, 6], [9, 1, 2, 9, 9, 4]):
        said = answers(net, [text, [1] * 12])[0]
        np.testing.assert_allclose(said.numpy(), plainly(net, text, pool), rtol=1e-4, atol=1e-6)


def test_token_order_matters_only_within_a_window() -> None:
    words, runs = (build_net(config(longest=n), as_card(CARD)).eval() for n in (1, 2))
    one, other = [[3, 4, 5]], [[5, 4, 3]]
    torch.testing.assert_close(answers(words, one), answers(words, other))
    assert not torch.allclose(answers(runs, one), answers(runs, other))


@pytest.mark.parametrize("adversarial", [None, 0.1], ids=["plain", "adversarial"])
def test_it_learns_a_word(adversarial: float | None) -> None:
    torch.manual_seed(0)
    given = config(dropout=0.1).model_copy(
        update={"train": config().train.model_copy(update={"adversarial": adversarial})}
    )
    module = build(given, as_card(CARD), total_steps=60)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    draw = np.random.default_rng(0)
    for _ in range(60):
        labels = draw.integers(0, 3, 16)
        texts = [[*draw.integers(4, WORDS, 5).tolist(), label + 1] for label in labels]
        tokens, mask = padded(texts, PAD)
        batch = {"x": tokens, "mask": mask, "y": labels, "id": labels}
        loss = module.training_step({n: torch.from_numpy(v) for n, v in batch.items()}, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    module.eval()
    assert answers(module.net, [[7, 8, k + 1, 9, 9] for k in range(3)]).argmax(1).tolist() == [
        0, 1, 2,
    ]  # fmt: skip


def test_other_data_than_texts_are_refused() -> None:
    image = as_card({"inputs": {"kind": "image"}, "classes": ["a"]})
    with pytest.raises(BadInput, match="text_cnn does not take data of kind image"):
        build_net(config(), image)
