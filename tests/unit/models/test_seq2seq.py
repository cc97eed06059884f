"""The network that writes texts: what it learns by, what it writes, and what that depends on."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from conf.runtime.errors import BadInput
from conf.schema.study import TrialConfig
from conf.schema.train import Train
from models import build
from models.networks.gru import GruNet, beam, greedy, limits, write
from tests.cards import as_card

PAD, START, END = 0, 2, 3


def network(vocabulary: int = 12, **changes: Any) -> GruNet:
    torch.manual_seed(3)
    sizes = {"width": 16, "layers": 2, "dropout": 0.0, "pad": PAD, "start": START, "end": END}
    net = GruNet(vocabulary=vocabulary, **{**sizes, **changes}).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name != "embedding.weight":
                parameter.mul_(3.0)  # so that it has opinions
    return net


def batch(*lengths: int, vocabulary: int = 12) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    tokens = torch.randint(4, vocabulary, mask.shape, generator=random)
    return torch.where(mask, tokens, PAD), mask


@torch.no_grad()
def likelihood(net: GruNet, source: Tensor, mask: Tensor, text: list[int]) -> float:
    memory = net.encode(source, mask)
    thoughts, _ = net.decode(torch.tensor([[START, *text]]), memory.start, memory)
    logits = net.logits(thoughts).log_softmax(-1)[0]
    return sum(float(logits[at, token]) for at, token in enumerate([*text, END]))


def test_the_loss_is_cross_entropy_of_the_targets_tokens() -> None:
    net = network()
    source, mask = batch(5, 2, 3)
    target, target_mask = batch(4, 6, 3)
    found = net.losses(net.encode(source, mask), target, target_mask, 0.1)
    for row in range(3):
        own = mask[row : row + 1, : mask[row].sum()]
        memory = net.encode(source[row : row + 1, : own.shape[1]], own)
        length = int(target_mask[row].sum())
        thoughts, _ = net.decode(target[row : row + 1, : length - 1], memory.start, memory)
        expected = functional.cross_entropy(
            net.logits(thoughts)[0], target[row, 1:length], reduction="sum", label_smoothing=0.1
        )
        assert found[row].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("beams", [1, 4])
def test_a_text_does_not_depend_on_its_neighbours(beams: int) -> None:
    net = network()
    source, mask = batch(7, 1, 4, 2)
    together = write(net, source, mask, longest=30, beams=beams, penalty=0.6)
    for row, length in enumerate((7, 1, 4, 2)):
        part = slice(row, row + 1), slice(0, length)
        alone = write(net, source[part], mask[part], longest=30, beams=beams, penalty=0.6)
        assert alone == [together[row]]
        assert not {PAD, START, END}.intersection(together[row])


def test_a_text_that_does_not_end_is_cut_at_its_own_limit() -> None:
    net = network()
    with torch.no_grad():
        net.bias[END] = -50.0
    source, mask = batch(6, 2)
    assert limits(mask, 20).tolist() == [20, 14]
    for beams in (1, 3):
        found = write(net, source, mask, longest=20, beams=beams, penalty=1.0)
        assert [len(text) for text in found] == [20, 14]


@pytest.mark.parametrize("penalty", [0.0, 1.5])
def test_a_wide_beam_finds_the_best_text_of_all(penalty: float) -> None:
    net = network(vocabulary=7)
    with torch.no_grad():
        net.bias[END] = 1.0
    source, mask = batch(3, vocabulary=7)
    memory = net.encode(source, mask)
    texts = [list(text) for size in range(4) for text in product((1, 4, 5, 6), repeat=size)]

    def score(text: list[int]) -> float:
        return likelihood(net, source, mask, text) / ((6 + len(text)) / 6) ** penalty

    best = max(texts, key=score)
    (found,) = beam(net, memory, 12, 300, penalty)
    assert len(found) > 3 or found == best
    assert score(found) >= score(best) - 1e-5


def test_a_beam_of_one_is_greedy_search() -> None:
    net = network()
    source, mask = batch(5, 3)
    memory = net.encode(source, mask)
    # No limit is met here, at which a beam compares and greedy does not.
    with torch.no_grad():
        net.bias[END] = 1.0
    assert beam(net, memory, 30, 1, 0.0) == greedy(net, memory, 30)


def test_it_learns_to_reverse_texts() -> None:
    torch.manual_seed(0)
    net = GruNet(vocabulary=10, width=32, layers=1, dropout=0.0, pad=PAD, start=START, end=END)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(150):
        source = torch.randint(4, 10, (32, 4))
        ends = torch.full((32, 1), START), torch.full((32, 1), END)
        target = torch.cat([ends[0], source.flip(1), ends[1]], dim=1)
        memory = net.encode(source, torch.ones_like(source, dtype=torch.bool))
        loss = net.losses(memory, target, torch.ones_like(target, dtype=torch.bool), 0.0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    source = torch.randint(4, 10, (50, 4))
    found = write(
        net, source, torch.ones_like(source, dtype=torch.bool), longest=20, beams=3, penalty=1.0
    )
    right = sum(text == row for text, row in zip(found, source.flip(1).tolist(), strict=True))
    assert right >= 45


CARDS: dict[str, dict[str, Any]] = {
    "pairs": {"classes": [], "inputs": {"kind": "pairs"}},
    "table": {"classes": ["a", "b"], "inputs": {"kind": "table", "features": 3}},
}


@pytest.mark.parametrize(
    ("kind", "data"), [("gru", "table"), ("mlp", "pairs")], ids=["table", "pairs"]
)
def test_a_network_for_other_data_is_refused(kind: str, data: str, tmp_path: Any) -> None:
    config = TrialConfig.model_validate({"model": {"kind": kind}})
    with pytest.raises(BadInput, match=f"kind: {kind} does not take data of kind {data}"):
        build(config, as_card(CARDS[data]), 10, tmp_path)


def test_texts_are_written_and_weights_kept_by_the_average(tmp_path: Any) -> None:
    sizes = {"vocabulary": 12, "pad": PAD, "start": START, "end": END, "longest": 9}
    inputs = {"kind": "pairs", **sizes, "lengths": {"target": {"median": 3, "p95": 5}}}
    given = {"model": {"kind": "gru", "width": 8}, "train": {"average": "swa"}}
    config, card = TrialConfig.model_validate(given), as_card({"inputs": inputs})
    module: Any = build(config, card, 2, tmp_path).eval()
    for _ in range(3):
        with torch.no_grad():
            module.net.embedding.weight.add_(1.0)
        module.average.update(module.net)
    x, mask = batch(5, 2)
    said: list[Any] = []
    module._texts = said.extend
    found = module.validation_step(
        {"id": torch.arange(2), "x": x, "mask": mask, "y": x, "y_mask": mask, "reference": []}, 0
    )
    averaged = module.average.net
    memory = averaged.encode(x, mask)
    assert said == greedy(averaged, memory, 9)
    torch.testing.assert_close(found["loss"], averaged.losses(memory, x, mask, 0.0))
    kept, plain = module.inference_state(), config.model_copy(update={"train": Train()})
    assert kept.keys() == build(plain, card, 2, tmp_path).state_dict().keys()
    lower = module.net.embedding.weight - kept["net.embedding.weight"]
    torch.testing.assert_close(lower, torch.full_like(lower, 0.5))  # of steps 2 and 3 of 3
