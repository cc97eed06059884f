"""Pre-trained networks that write: their tokens, losses, packing and texts; what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from data.assets.pretrained import facts_of
from data.encoding.pair_tokenizer import pair_encoder
from data.loading.collate_texts import padded
from models.modules.seq2seq_loss import unsaved_parameters
from models.pretrained.seq2seq import PretrainedSeq2SeqNet, check_packing, writer_net
from models.pretrained.sequence_packing import packed, placed
from tasks.train.preflight import make_ready
from tests.cards import as_card
from tests.tiny_writers import END, NETS, PAD, START, study_of, tiny_writer

CARD = as_card({"inputs": {"kind": "pairs"}, "classes": []})
KINDS = {
    "t5": "seq2seq",
    "bart": "seq2seq",
    "bert": "seq2seq",
    "gpt2": "causal",
    "llama": "causal",
}
PAIRS = [("a b c", "A B C"), ("h", "H"), ("e d c g f", "E D C G F"), ("b b", "B B")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("weights")
    for name in KINDS:
        tiny_writer(found / name, name)
    return found


def model_of(name: str, **model: Any) -> Any:
    return Study.model_validate(study_of(KINDS[name], name, **model)).model


def net_of(folder: Path, name: str, *, plain: bool = False, **model: Any) -> PretrainedSeq2SeqNet:
    torch.manual_seed(0)
    net = writer_net(model_of(name, **model), folder / name, CARD).eval()
    if plain:
        return net
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3.0)  # so that it has opinions
    return net


def batch(folder: Path, name: str, pairs: Sequence[tuple[str, str]]) -> tuple[Tensor, ...]:
    encoder = pair_encoder(model_of(name), folder / name, facts_of(folder / name))
    sources = [one.tolist() for one in encoder.read([source for source, _ in pairs])]
    targets = [one.tolist() for one in encoder.target([target for _, target in pairs])]
    arrays = (*padded(sources, PAD), *padded(targets, PAD))
    return tuple(map(torch.from_numpy, arrays))


@pytest.mark.parametrize(
    ("name", "read", "said"),
    [
        ("t5", [4, 5, END], [PAD, 12, 13, END]),
        ("bart", [START, 4, 5, END], [END, START, 12, 13, END]),
        ("bert", [START, 4, 5, END], [START, 12, 13, END]),
        ("gpt2", [4, 5, 20], [PAD, 12, 13, END]),
        ("llama", [START, 4, 5, 20], [PAD, 12, 13, END]),
    ],
)
def test_both_sides_are_in_the_tokens_that_the_architecture_knows(
    name: str, read: list[int], said: list[int], folder: Path
) -> None:
    x, _, y, _ = batch(folder, name, [("a b", "A B")])
    assert (x[0].tolist(), y[0].tolist()) == (read, said)


@pytest.mark.parametrize("name", KINDS)
def test_a_targets_loss_does_not_depend_on_its_neighbours(name: str, folder: Path) -> None:
    net = net_of(folder, name)
    together = net.losses(*batch(folder, name, PAIRS), 0.1)
    alone = torch.cat([net.losses(*batch(folder, name, [pair]), 0.1) for pair in PAIRS])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    assert together.requires_grad and together[2] > together[1] > 0


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_the_loss_of_a_prompt_is_of_its_answer_alone(name: str, folder: Path) -> None:
    net = net_of(folder, name)
    x, mask, y, y_mask = batch(folder, name, PAIRS[:1])
    whole = torch.cat([x[0], y[0, 1:]])
    logits = net.net(input_ids=whole[None]).logits[0]
    places = range(x.shape[1] - 1, len(whole) - 1)
    expected = sum(functional.cross_entropy(logits[at], whole[at + 1]) for at in places)
    torch.testing.assert_close(net.losses(x, mask, y, y_mask, 0.0)[0], expected)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_packed_pairs_learn_as_single_ones_and_see_no_other(name: str, folder: Path) -> None:
    given = batch(folder, name, PAIRS)
    packs, singles = (net_of(folder, name, packing=way) for way in (True, False))
    found = [net.losses(*given, 0.0) for net in (packs, singles)]
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)
    for losses in found:
        losses.sum().backward()
    slopes = [[p.grad for p in net.parameters()] for net in (packs, singles)]
    torch.testing.assert_close(*slopes, rtol=1e-3, atol=1e-3)
    other = batch(folder, name, [*PAIRS[:2], ("g g g g g", "A A A A A"), PAIRS[3]])
    torch.testing.assert_close(packs.losses(*other, 0.0)[:2], found[0][:2], rtol=1e-4, atol=1e-4)


def test_rows_say_whose_each_token_is_and_what_is_asked_of_it() -> None:
    x, mask = map(torch.from_numpy, padded([[4, 5], [6]], PAD))
    y, y_mask = map(torch.from_numpy, padded([[12, 3], [13, 3]], PAD))
    rows = packed(x, mask, y, y_mask, 16)
    assert rows.tokens.tolist() == [[4, 5, 12, 6, 13]]
    assert rows.positions.tolist() == [[0, 1, 2, 0, 1]]
    assert rows.owners_at.tolist() == [[0, 0, 0, 1, 1]]
    assert rows.asked.tolist() == [[False, True, True, True, True]]
    assert rows.answers.tolist() == [12, 3, 13, 3] and rows.owners.tolist() == [0, 0, 1, 1]
    seen = (rows.sight()[0, 0] == 0).tolist()
    assert seen[4] == [False, False, False, True, True] and seen[1] == [True, True, *[False] * 3]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 40))
def test_everything_is_placed_once_and_no_row_is_too_full(sizes: list[int], room: int) -> None:
    rows = placed(sizes, room)
    assert sorted(thing for row in rows for thing in row) == list(range(len(sizes)))
    for row in rows:
        assert sum(sizes[thing] for thing in row) <= room or len(row) == 1
    fullness = sorted(sum(sizes[thing] for thing in row) for row in rows)
    assert len(rows) < 2 or fullness[0] + fullness[1] > room  # no two of them would fit in one


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("name", KINDS)
def test_a_text_does_not_depend_on_its_neighbours(name: str, beams: int, folder: Path) -> None:
    net = net_of(folder, name, beams=beams)
    x, mask, _, _ = batch(folder, name, PAIRS)
    together = net.write(x, mask)
    for row, pair in enumerate(PAIRS):
        alone = batch(folder, name, [pair])
        assert net.write(*alone[:2]) == [together[row]]
        assert len(together[row]) <= 12 and not {PAD, END}.intersection(together[row])


@pytest.mark.parametrize("name", ["bart", "gpt2"])
def test_a_higher_penalty_writes_longer_texts(name: str, folder: Path) -> None:
    x, mask, _, _ = batch(folder, name, PAIRS)
    lengths = []
    for penalty in (0.0, 5.0):
        net = net_of(folder, name, beams=4, length_penalty=penalty)
        lengths.append(sum(map(len, net.write(x, mask))))
    assert lengths[0] < lengths[1]


@pytest.mark.parametrize("name", ["t5", "gpt2"])
def test_it_learns_to_write_capitals(name: str, folder: Path) -> None:
    net = net_of(folder, name, plain=True, dropout=0.0).train()
    x, mask, y, y_mask = batch(folder, name, PAIRS)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(300):
        loss = net.losses(x, mask, y, y_mask, 0.0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.1:
            break
    texts = net.tokenizer.decode_batch(net.eval().write(x, mask))
    assert texts == [target for _, target in PAIRS]


def test_an_encoder_is_joined_with_a_decoder_of_its_own_weights(folder: Path) -> None:
    net = writer_net(model_of("bert"), folder / "bert", CARD).net
    read, wrote = net.encoder.embeddings, net.decoder.bert.embeddings
    assert torch.equal(read.word_embeddings.weight, wrote.word_embeddings.weight)
    assert read.word_embeddings.weight is not wrote.word_embeddings.weight
    assert net.decoder.bert.encoder.layer[0].crossattention is not None


def test_of_weights_with_several_names_one_is_saved(folder: Path) -> None:
    net = writer_net(model_of("t5"), folder / "t5", CARD)
    kept = set(net.state_dict()) - unsaved_parameters(net)
    assert "net.shared.weight" in kept and "net.lm_head.weight" not in kept
    # The untouched names are tied to the kept one again when they are loaded.
    with torch.no_grad():
        net.net.shared.weight.fill_(1.0)
    assert bool((net.net.encoder.embed_tokens.weight == 1.0).all())


@pytest.mark.parametrize("tune", ["lora", "adalora", "ia3"])
@pytest.mark.parametrize("name", ["t5", "gpt2"])
def test_additions_are_small_and_merged_to_the_same_answers(
    name: str, tune: str, folder: Path
) -> None:
    net = net_of(folder, name, tune=tune, lora={"rank": 2})
    trained = [p for p in net.parameters() if p.requires_grad]
    with torch.no_grad():
        for parameter in trained:
            parameter.add_(torch.randn_like(parameter) * 0.1)
    assert 0 < sum(p.numel() for p in trained) < 0.3 * sum(p.numel() for p in net.parameters())
    assert set(net.lr_factors().values()) == {10.0}
    given = batch(folder, name, PAIRS)
    said, texts = net.losses(*given, 0.0), net.write(*given[:2])
    net.net = net.merged()
    torch.testing.assert_close(net.losses(*given, 0.0), said, rtol=1e-4, atol=1e-4)
    assert net.write(*given[:2]) == texts
    assert not any("lora" in key or "ia3" in key for key in net.state_dict())


@pytest.mark.parametrize("tune", ["prefix", "prompt"])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_learnt_tokens_alone_are_trained_and_decide_what_is_written(
    name: str, tune: str, folder: Path
) -> None:
    net = net_of(folder, name, tune=tune, virtual=4, beams=1)
    trained = {key: p for key, p in net.named_parameters() if p.requires_grad}
    assert trained and all("prompt_encoder" in key for key in trained)
    torch.manual_seed(2)
    with torch.no_grad():
        head = torch.randn(21, 16)
        head[[PAD, END]] = 0.0
        net.net.get_base_model().lm_head.weight = torch.nn.Parameter(head, requires_grad=False)
        for parameter in trained.values():
            parameter.copy_(torch.randn_like(parameter))
    given = batch(folder, name, PAIRS)
    losses = net.losses(*given, 0.0)
    losses.sum().backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in trained.values() if p.grad is not None)
    alone = [net.losses(*batch(folder, name, [pair]), 0.0) for pair in PAIRS]
    torch.testing.assert_close(torch.cat(alone), losses, rtol=1e-3, atol=1e-3)
    texts = net.write(*given[:2])
    assert texts == [likeliest(net, batch(folder, name, [pair])[0]) for pair in PAIRS]
    with torch.no_grad():
        for parameter in trained.values():
            parameter.neg_()
        assert not torch.allclose(net.losses(*given, 0.0), losses)


@torch.no_grad()
def likeliest(net: PretrainedSeq2SeqNet, x: Tensor) -> list[int]:
    """Token after token from whole texts, without the library's own way to write."""
    found: list[int] = []
    for _ in range(12):
        logits = net.net(input_ids=x, attention_mask=torch.ones_like(x)).logits[0, -1]
        token = int(logits.argmax())
        if token == END:
            break
        found.append(token)
        x = torch.cat([x, torch.tensor([[token]])], dim=1)
    return [token for token in found if token != PAD]


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "no pad": ("gpt2", {}, r"no token to pad with.*model\.pad"),
    "no end": ("llama", {}, "no token that ends a text"),
    "reads too long": ("bart", {"tokens": 64}, r"model\.tokens: 64 is more than the 32 tokens"),
    "writes too long": ("bart", {"answer": 40}, r"model\.answer: it may be at most the 32 tokens"),
    "both too long": ("gpt2", {"tokens": 40}, "together may be at most the 48 tokens.*not 52"),
    "learnt too long": ("gpt2", {"tune": "prefix", "virtual": 30}, "together .* 48 .*not 58"),
    "other architecture": ("t5", {"kind": "causal"}, "t5 is no causal .*use model.kind: seq2seq"),
    "encoder": ("bert", {"kind": "causal"}, "bert is no causal .*use model.kind: seq2seq"),
    "decoder": ("gpt2", {"kind": "seq2seq"}, "gpt2 is no encoder-decoder.*use model.kind: causal"),
    "no weights": ("t5", {}, r"no .safetensors file"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_work_is_said_before_the_first_trial(
    case: str, folder: Path, home: Home
) -> None:
    name, changes, message = BAD[case]
    mine = home.path / "sources" / name
    shutil.copytree(folder / name, mine)
    if case == "no pad":
        (mine / "tokenizer_config.json").write_text("{}")
    elif case == "no end":
        facts = json.loads((mine / "config.json").read_text())
        (mine / "config.json").write_text(json.dumps({**facts, "eos_token_id": None}))
    elif case == "no weights":
        (mine / "model.safetensors").unlink()
    given = study_of(KINDS[name], name)
    given["model"] |= changes
    if given["model"]["kind"] == "seq2seq":
        given["model"].pop("prompt", None)
    with pytest.raises(BadInput, match=message):
        make_ready(Study.model_validate(given), CARD, home, print)


def test_what_takes_no_positions_is_not_packed(folder: Path, tmp_path: Path) -> None:
    from transformers import BloomConfig, BloomForCausalLM

    shutil.copytree(folder / "gpt2", tmp_path / "bloom")
    config = BloomConfig(vocab_size=21, hidden_size=16, n_layer=1, n_head=2, eos_token_id=END)
    BloomForCausalLM(config).save_pretrained(tmp_path / "bloom")
    with pytest.raises(BadInput, match=r"bloom carries on.*set model\.packing=false"):
        writer_net(model_of("gpt2"), tmp_path / "bloom", CARD)
    net = writer_net(model_of("gpt2", packing=False), tmp_path / "bloom", CARD)
    assert net.losses(*batch(folder, "gpt2", PAIRS), 0.0).shape == (4,)


class Carried(torch.nn.Module):
    """Takes positions and a mask, and carries on all the same, as state space models do."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(model_type="carried")
        self.table = torch.nn.Embedding(10, 10)

    def forward(self, input_ids: Tensor, attention_mask: Any = None, **_: Any) -> Any:
        return SimpleNamespace(logits=self.table(input_ids).cumsum(1))


def test_what_carries_on_or_would_see_further_is_not_packed(folder: Path) -> None:
    with pytest.raises(BadInput, match="carried carries on from one pair to the next"):
        check_packing(Carried(), 28)
    small = {"vocab_size": 6, "pad_token_id": 0, "eos_token_id": 3}
    check_packing(NETS["gpt2"](**small).eval(), 28)
    net = net_of(folder, "llama").net
    check_packing(net, 28)
    net.config.sliding_window = 20
    with pytest.raises(BadInput, match=r"in a row of 28 tokens llama would see more than its 20"):
        check_packing(net, 28)


@pytest.mark.parametrize("tune", ["lora", "adalora", "ia3"])
def test_attention_that_is_new_is_trained_itself_and_saved(tune: str, folder: Path) -> None:
    nets = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        nets.append(writer_net(model_of("bert", tune=tune), folder / "bert", CARD).eval())
    new = {name for name, p in nets[0].named_parameters() if "crossattention" in name}
    assert new and all(dict(nets[0].named_parameters())[name].requires_grad for name in new)
    given = batch(folder, "bert", PAIRS)
    wanted = nets[0].losses(*given, 0.0)
    assert not torch.allclose(nets[1].losses(*given, 0.0), wanted)
    saved = {n: p for n, p in nets[0].state_dict().items() if n not in unsaved_parameters(nets[0])}
    nets[1].load_state_dict(saved, strict=False)
    torch.testing.assert_close(nets[1].losses(*given, 0.0), wanted)


def test_every_weight_of_joined_halves_is_learnt(folder: Path) -> None:
    net = net_of(folder, "bert")
    net.losses(*batch(folder, "bert", PAIRS), 0.0).sum().backward()
    assert not [name for name, p in net.named_parameters() if p.grad is None]


@pytest.mark.parametrize("name", ["t5", "gpt2"])
def test_weights_of_another_architecture_are_refused(
    name: str, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder / name, tmp_path / name)
    shutil.copy(folder / "llama" / "model.safetensors", tmp_path / name)
    with pytest.raises(BadInput, match=r"of another architecture than its config\.json says"):
        writer_net(model_of(name), tmp_path / name, CARD)


@pytest.mark.parametrize("kind", ["seq2seq", "causal"])
def test_a_writer_takes_pairs_alone(kind: str, home: Home) -> None:
    study = Study.model_validate({**study_of(kind, "none"), "name": "x"})
    with pytest.raises(BadInput, match=f"{kind} does not take data of kind text"):
        make_ready(study, as_card({"inputs": {"kind": "text"}, "classes": ["a", "b"]}), home, print)


@pytest.mark.parametrize("searched", [False, True], ids=["given", "searched"])
def test_settings_that_a_writer_does_not_know_are_refused(
    searched: bool, folder: Path, home: Home
) -> None:
    shutil.copytree(folder / "t5", home.path / "sources" / "t5")
    study = study_of("seq2seq", "t5")
    if searched:
        study["search"] = {"space": {"train.label_smoothing": {"low": 0.0, "high": 0.2}}}
    else:
        study["train"]["adversarial"] = 0.1
    name = "label_smoothing" if searched else "adversarial"
    with pytest.raises(BadInput, match=rf"train\.{name} is for models that classify"):
        make_ready(Study.model_validate(study), CARD, home, print)


def test_a_hub_model_without_a_network_is_said_before_the_first_trial(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    study = study_of("seq2seq", "t5")
    study["model"]["weights"] = {"source": "hub", "name": "nobody/t5", "revision": "0" * 40}
    with pytest.raises(BadInput, match=r"cannot be fetched from the Hugging Face hub.*source: loc"):
        make_ready(Study.model_validate(study), CARD, home, print)


def test_metrics_of_another_task_are_refused() -> None:
    given = study_of("causal", "gpt2")
    given["evaluate"] = {"objective": "accuracy", "metrics": ["accuracy"]}
    with pytest.raises(ValueError, match="'accuracy' is no metric of translation"):
        Study.model_validate(given)


def moved(net: PretrainedSeq2SeqNet) -> PretrainedSeq2SeqNet:
    """The network after a training: every trained weight has changed."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return net


@pytest.mark.parametrize("tune", ["lora", "adalora", "ia3"])
@pytest.mark.parametrize("targets", ["auto", "all-linear"])
@pytest.mark.parametrize("name", KINDS)
def test_merging_adapters_changes_no_answer(
    name: str, targets: str, tune: str, folder: Path
) -> None:
    net = moved(net_of(folder, name, tune=tune, lora={"rank": 2, "targets": targets})).eval()
    given = batch(folder, name, PAIRS)
    before = net.losses(*given, 0.0)
    net.net = net.merged()
    torch.testing.assert_close(net.losses(*given, 0.0), before, rtol=1e-4, atol=1e-4)


TIED = [
    ("t5", "lm_head"),
    ("t5", "shared"),
    ("t5", "embed_tokens"),
    ("bart", "lm_head"),
    ("bart", "q_proj,embed_tokens"),
    ("gpt2", "lm_head"),
    ("gpt2", "c_attn,wte"),
    ("bert", "decoder"),
    ("bert", "word_embeddings"),
]


@pytest.mark.parametrize(("name", "targets"), TIED)
def test_adapters_on_tied_embeddings_are_refused_or_merge_to_the_same_answers(
    name: str, targets: str, folder: Path
) -> None:
    lora = {"rank": 2, "targets": targets}
    try:
        net = moved(net_of(folder, name, tune="lora", lora=lora)).eval()
    except BadInput as error:
        assert "shares its weight with" in str(error) and "leave it out" in str(error)
        return
    given = batch(folder, name, PAIRS)
    before = net.losses(*given, 0.0)
    net.net = net.merged()
    torch.testing.assert_close(net.losses(*given, 0.0), before, rtol=1e-4, atol=1e-4)


def test_adapters_on_untied_embeddings_are_merged(tmp_path: Path) -> None:
    folder = tiny_writer(tmp_path / "gpt2", "gpt2", tie_word_embeddings=False).parent
    lora = {"rank": 2, "targets": "lm_head,wte"}
    net = moved(net_of(folder, "gpt2", tune="lora", lora=lora)).eval()
    given = batch(folder, "gpt2", PAIRS)
    before = net.losses(*given, 0.0)
    net.net = net.merged()
    torch.testing.assert_close(net.losses(*given, 0.0), before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("metric", ["perplexity", "chrf"])
def test_no_trial_wins_by_cutting_targets(metric: str, folder: Path, home: Home) -> None:
    shutil.copytree(folder / "t5", home.path / "sources" / "t5")
    given = study_of("seq2seq", "t5")
    given["evaluate"]["objective"] = metric
    given["search"] = {"space": {"model.answer": {"low": 4, "high": 12, "type": "int"}}}
    if metric == "chrf":  # texts are compared with whole references
        make_ready(Study.model_validate(given), CARD, home, print)
        return
    with pytest.raises(BadInput, match=r"win by cutting; set one model\.answer"):
        make_ready(Study.model_validate(given), CARD, home, print)
