"""Pre-trained models: what is trained and how fast, heads, tokens, averages, adversarial steps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.pretrained import LocalWeights, Vision
from conf.schema.study import Study
from conf.schema.train import Train
from data.assets.pretrained import facts_of, head_order, located
from data.encoding.tokenizer import encoder_of, shortened
from models.modules.adversarial import adversarial_losses
from models.modules.predictor import PredictorModule
from models.modules.weight_averaging import WeightAverage
from models.networks.efficientnet import EfficientNetLite0
from models.networks.targets import ClassTarget, class_weights
from models.optimizers import build_optimizer, learning_rate_factor
from models.pretrained.image_classifier import ImageNet, PretrainedScaling, WithHead, image_net
from models.pretrained.text_classifier import TextNet, text_net
from models.serving import Serving, TextServing
from tasks.packaging.torch_export import export_program, export_text_program
from tasks.train.preflight import make_ready
from tests.cards import as_card, as_inputs
from tests.tiny import study_of, tiny_bert

CARD = as_card({"inputs": {"kind": "text"}, "classes": ["bad", "good"]})
X, MASK = (
    torch.tensor([[2, 4, 16, 3], [2, 10, 3, 0]]),
    torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]) > 0,
)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("weights") / "bert", layers=3)


def net_of(bert: Path, **model: Any) -> TextNet:
    torch.manual_seed(0)
    found = Study.model_validate(study_of(**model)).model
    return text_net(found, bert, CARD)  # type: ignore[arg-type]


def trained(net: TextNet) -> set[str]:
    return {name for name, p in net.named_parameters() if p.requires_grad}


def test_full_tuning_trains_everything_with_dropout(bert: Path) -> None:
    net = net_of(bert)
    assert trained(net) == {name for name, _ in net.named_parameters()}
    assert all(module.training for module in net.modules())
    assert net_of(bert, dropout=0.5).net.config.hidden_dropout_prob == 0.5


def test_the_last_layers_and_what_is_above_them(bert: Path) -> None:
    names = trained(net_of(bert, tune="last", last=1))
    assert {name.split(".")[2] for name in names if "bert" in name} == {"encoder", "pooler"}
    assert not any(".layer.1." in name or ".layer.0." in name for name in names)
    assert any(".layer.2." in name for name in names) and any("classifier" in n for n in names)
    with pytest.raises(BadInput, match="more than the 3 layers"):
        net_of(bert, tune="last", last=4)


def test_frozen_trains_the_head_alone_and_without_dropout_below_it(bert: Path) -> None:
    net = net_of(bert, tune="frozen").train()
    assert trained(net) == {"net.classifier.weight", "net.classifier.bias"}
    assert not net.net.bert.training and net.net.training


@pytest.mark.parametrize("tune", ["lora", "adalora", "ia3"])
def test_additions_are_small_and_merged_to_the_same_answers(bert: Path, tune: str) -> None:
    net = net_of(bert, tune=tune, lora={"rank": 2})
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    share = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert share < 0.1 * sum(p.numel() for p in net.parameters())
    assert set(net.lr_factors().values()) == {10.0}
    said = net.eval()(X, MASK)
    torch.testing.assert_close(net.merged()(X, MASK), said)
    assert not any("lora" in name or "ia3" in name for name in net.state_dict())


@pytest.mark.parametrize("tune", ["prefix", pytest.param("prompt", marks=pytest.mark.long)])
def test_learnt_tokens_stay_beside_the_network_and_are_served_with_it(
    bert: Path, tune: str, tmp_path: Path
) -> None:
    net = net_of(bert, tune=tune, virtual=3)
    names = {name for name, p in net.named_parameters() if p.requires_grad}
    assert any("prompt_encoder" in name for name in names)
    assert all("prompt_encoder" in name or "classifier" in name for name in names)
    before = net.eval()(X, MASK)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "prompt_encoder" in name:
                parameter.copy_(torch.randn_like(parameter))
    said = net.merged()(X, MASK)
    assert not torch.allclose(said, before)
    torch.testing.assert_close(net(X[1:, :3], MASK[1:, :3]), said[1:])  # what fills up counts not
    export_text_program(TextServing(net), 16, tmp_path / "program.pt2")
    program = torch.export.load(tmp_path / "program.pt2").module()
    torch.testing.assert_close(program(X[1:], MASK[1:]), said[1:].softmax(dim=1))


def test_additions_that_do_not_go_with_an_architecture_are_refused(tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertModel, GPT2Config, GPT2Model

    shutil.copytree(tiny_bert(tmp_path / "bert"), tmp_path / "distilbert")
    shutil.copytree(tmp_path / "bert", tmp_path / "gpt2")
    DistilBertModel(DistilBertConfig(vocab_size=40, dim=16, n_layers=1, n_heads=2)).save_pretrained(
        tmp_path / "distilbert"
    )
    GPT2Model(GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2)).save_pretrained(
        tmp_path / "gpt2"
    )
    with pytest.raises(BadInput, match=r"model\.tune: prefix does not go with this network"):
        net_of(tmp_path / "distilbert", tune="prefix")
    with pytest.raises(BadInput, match=r"model\.tune: gpt2 looks among tokens for the last"):
        net_of(tmp_path / "gpt2", tune="prompt")


def test_ranks_are_taken_away_until_they_are_what_was_asked_for(bert: Path) -> None:
    torch.manual_seed(0)
    steps, config = 20, Train(lr=1e-2)
    net = net_of(bert, tune="adalora", lora={"rank": 2}, adalora={"begin": 3.0})
    module = PredictorModule(net, config, steps)
    assert module.allocation is not None
    optimizer = build_optimizer(config, net.parameters(), net.lr_factors())
    for step in range(steps):
        if step == 10:  # what was known goes through a checkpoint
            checkpoint: dict[str, Any] = {}
            module.on_save_checkpoint(checkpoint)
            kept = {name: each.clone() for name, each in net.state_dict().items()}
        optimizer.zero_grad()
        module.training_step({"x": X, "mask": MASK, "y": torch.tensor([0, 1])}, step).backward()
        optimizer.step()
        module.allocation.after_step()
    values = [p for name, p in net.named_parameters() if "lora_E" in name]
    assert values[0].shape == (6, 1)
    assert sum(int((p != 0).sum()) for p in values) <= 2 * len(values)
    assert net.net.peft_config["default"].total_step == steps
    other = net_of(bert, tune="adalora", lora={"rank": 2}, adalora={"begin": 3.0})
    resumed = PredictorModule(other, config, steps)
    other.load_state_dict(kept)
    resumed.on_load_checkpoint(checkpoint)
    assert resumed.allocation is not None
    again = resumed.allocation.state()
    assert again["step"] == 10 and again["ipt"].keys() == checkpoint["ranks"]["ipt"].keys()


def test_layers_that_are_not_there_are_refused(bert: Path) -> None:
    with pytest.raises(
        BadInput, match=r"targets: quary .*its layers: query, key, value, dense, classifier$"
    ):
        net_of(bert, tune="lora", lora={"targets": "quary"})


def test_learning_rates_fall_from_the_head_downwards(bert: Path) -> None:
    net = net_of(bert, layer_decay=0.5, head_lr=3.0)
    rates = {name: net.lr_factors()[p] for name, p in net.named_parameters()}
    assert rates["net.classifier.bias"] == 3.0
    assert rates["net.bert.pooler.dense.bias"] == 1.0
    found = [rates[f"net.bert.encoder.layer.{n}.output.dense.bias"] for n in (0, 1, 2)]
    assert found == [0.25, 0.5, 1.0]
    assert rates["net.bert.embeddings.word_embeddings.weight"] == 0.125
    groups = build_optimizer(Train(lr=0.1), net.parameters(), net.lr_factors()).param_groups
    assert {round(group["lr"], 6) for group in groups} == {0.3, 0.1, 0.05, 0.025, 0.0125}


def test_a_head_that_does_not_fit_is_refused_or_begun_anew(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path / "three", head=3)
    with pytest.raises(BadInput, match=r"tells 3 classes apart, the data have 2.*model\.head=new"):
        net_of(folder)
    assert net_of(folder, head="new")(X, MASK).shape == (2, 2)
    fits = tiny_bert(tmp_path / "two", head=2, names=["bad", "good"])
    kept, begun = net_of(fits), net_of(fits, head="new")
    assert not torch.equal(kept.net.classifier.weight, begun.net.classifier.weight)


@pytest.mark.parametrize(
    ("names", "head", "order"),
    [
        (["bad", "good"], "auto", [0, 1]),
        (["good", "bad"], "auto", [1, 0]),
        (["Good ", "BAD"], "auto", [1, 0]),
        ([], {"bad": "LABEL_1", "good": "LABEL_0"}, [1, 0]),
        ([], {"bad": "LABEL_0", "good": "LABEL_1"}, [0, 1]),
        (["pos", "neg"], {"bad": "neg", "good": "pos"}, [1, 0]),
    ],
)
def test_a_head_that_is_kept_goes_by_the_names_of_its_classes(
    names: list[str], head: Any, order: list[int], tmp_path: Path
) -> None:
    folder = tiny_bert(tmp_path / "bert", head=2, names=names)
    net = net_of(folder, head=head).eval()
    own = net.net(input_ids=X, attention_mask=MASK.long()).logits
    torch.testing.assert_close(net(X, MASK), own[:, order])
    export_text_program(TextServing(net), 16, tmp_path / "program.pt2")
    served = torch.export.load(tmp_path / "program.pt2").module()(X, MASK)
    torch.testing.assert_close(served, own[:, order].softmax(dim=1))


@pytest.mark.parametrize(
    ("names", "head", "message"),
    [
        ([], "auto", r"LABEL_0, LABEL_1 \(it gives no names\).*\{bad: LABEL_0, good: LABEL_1\}"),
        (["pos", "neg"], "auto", r"are pos, neg, those of the data bad, good; name the head's"),
        (["bad", "Bad"], "auto", "are bad, Bad, those of the data"),
        (["good", "bad"], {"bad": "bad"}, "name the head's class for each class of the data"),
        (["good", "bad"], {"bad": "bad", "good": "bad"}, "name the head's class for each class"),
        (["good", "bad"], {"bad": "neg", "good": "pos"}, "name the head's class for each class"),
    ],
)
def test_a_head_whose_classes_have_other_names_is_asked_for(
    names: list[str], head: Any, message: str, tmp_path: Path
) -> None:
    folder = tiny_bert(tmp_path / "bert", head=2, names=names)
    with pytest.raises(BadInput, match=message):
        net_of(folder, head=head)


def test_classes_are_named_only_of_a_head_that_is_there(bert: Path) -> None:
    with pytest.raises(BadInput, match=r"model\.head: .* come without one that is kept"):
        net_of(bert, head={"bad": "LABEL_0", "good": "LABEL_1"})


def test_a_head_has_no_outputs_for_an_auxiliary_target(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path / "bert", head=3, names=["bad", "good", "fair"])
    second = {"name": "stars", "classes": [], "target": {"mean": 0.0, "deviation": 1.0}}
    card = as_card({"inputs": {"kind": "text"}, "classes": ["bad", "good"], "second": second})
    with pytest.raises(BadInput, match=r"no outputs for the auxiliary target stars"):
        head_order(Study.model_validate(study_of()).model, facts_of(folder), card)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("no-pad", r"no token to pad with.*model\.pad"),
        ("no-tokenizer", "tokenizer"),
        ("no-weights", "no .safetensors file"),
        ("no-config", "config.json"),
        ("own-code", "code of its own, which is never run"),
        ("long", r"model\.tokens: 64 is more than the 24 tokens"),
    ],
)
def test_what_cannot_work_is_said_before_the_first_trial(
    spoil: str, message: str, bert: Path, home: Home
) -> None:
    folder = home.path / "sources" / "bert"
    shutil.copytree(bert, folder)
    given = study_of(tokens=64 if spoil == "long" else 16)
    if spoil == "no-pad":
        (folder / "tokenizer_config.json").write_text("{}")
    elif spoil == "no-tokenizer":
        (folder / "tokenizer.json").unlink()
    elif spoil == "no-weights":
        (folder / "model.safetensors").unlink()
    elif spoil == "no-config":
        (folder / "config.json").unlink()
    elif spoil == "own-code":
        facts = json.loads((folder / "config.json").read_text())
        facts |= {"auto_map": {"AutoModel": "evil.Net"}, "model_type": "evil"}
        (folder / "config.json").write_text(json.dumps(facts))
    with pytest.raises(BadInput, match=message):
        make_ready(Study.model_validate(given), CARD, home, print)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"kind": "cnn"}, "cnn does not take data of kind text; use text_cnn or"),
        ({"kind": "vision"}, "vision does not take data of kind text"),
        ({"kind": "head", "weights": {"name": "efficientnet-lite0"}}, "use minilm"),
    ],
    ids=["cnn", "vision", "head"],
)
def test_models_for_other_data_are_refused(
    model: dict[str, Any], message: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.assets.pretrained.located", lambda *_, **__: home.path)
    if "weights" in model:
        model = {**model, "weights": {"source": "package", **model["weights"]}}
    with pytest.raises(BadInput, match=message):
        make_ready(Study.model_validate({**study_of(), "model": model}), CARD, home, print)


def test_a_hub_name_without_a_network_is_bad_input(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    weights = {"source": "hub", "name": "some/model", "revision": "0" * 40}
    study = Study.model_validate(study_of(weights=weights))
    with pytest.raises(BadInput, match=r"some/model at 000000000000 cannot be fetched"):
        located(study.model.weights, home, offline=True)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("cut", "kept"), [("end", [1, 2, 3]), ("start", [5, 6, 7]), ("middle", [1, 2, 7])]
)
def test_long_texts_are_cut_where_it_is_asked(cut: str, kept: list[int]) -> None:
    assert shortened([1, 2, 3, 4, 5, 6, 7], 3, cut) == kept
    assert shortened([1, 2], 3, cut) == [1, 2]


def test_tokens_are_those_of_the_models_own_tokenizer(bert: Path) -> None:
    model = Study.model_validate(study_of(tokens=8)).model
    encoder = encoder_of(model, bert, facts_of(bert))  # type: ignore[arg-type]
    found = encoder(["fine", "", "the day was and film food with a"])
    assert found[0].tolist() == [2, 4, 3] and found[1].tolist() == [2, 3]
    assert len(found[2]) == 8 and found[2][-1] == 3


def test_the_state_leaves_out_what_is_frozen(bert: Path) -> None:
    module = PredictorModule(net_of(bert, tune="frozen"), Train(average="ema"), 4)
    assert {name for name in module.state_dict() if name.startswith("net.")} == {
        "net.net.classifier.weight",
        "net.net.classifier.bias",
    }
    assert set(module.inference_state()) == {"net.net.classifier.weight", "net.net.classifier.bias"}


@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_averages_follow_the_weights(kind: Any) -> None:
    net = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(net, Train(average=kind, average_decay=0.9), 4)
    seen = []
    for value in (1.0, 2.0, 3.0, 5.0):
        with torch.no_grad():
            net.weight.fill_(value)
        average.update(net)
        seen.append(float(average.net.weight))  # type: ignore[union-attr]
    if kind == "swa":  # from half of the steps on: (3 + 5) / 2
        assert seen == [1.0, 2.0, 3.0, 4.0]
    else:
        assert seen[-2] < seen[-1] < 5.0


def test_a_moving_average_is_torchs_own_once_it_has_begun() -> None:
    from torch.optim.swa_utils import get_ema_avg_fn

    net, theirs = torch.nn.Linear(3, 2), get_ema_avg_fn(0.9)
    average = WeightAverage(net, Train(average="ema", average_decay=0.9), 200)
    for step in range(120):
        before = average.net.weight.clone()  # type: ignore[union-attr]
        with torch.no_grad():
            net.weight.add_(torch.randn_like(net.weight))
        average.update(net)
        if step > 80:  # the first steps weigh more
            expected = theirs(before, net.weight.detach(), torch.tensor(step))
            torch.testing.assert_close(average.net.weight, expected)


def test_adversarial_steps_hurt_and_are_a_rows_own(bert: Path) -> None:
    net, loss = net_of(bert, tune="frozen").eval(), ClassTarget().loss
    y = torch.tensor([0, 1])
    plain, worst = adversarial_losses(net, {"x": X, "mask": MASK, "y": y}, 0.05, loss)
    assert worst > plain
    halves = [
        adversarial_losses(net, {"x": X[r], "mask": MASK[r], "y": y[r]}, 0.05, loss)[1]
        for r in (slice(0, 1), slice(1, 2))
    ]
    torch.testing.assert_close(sum(halves) / 2, worst)
    image = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    plain, worst = adversarial_losses(
        image, {"x": torch.randn(3, 1, 2, 2), "y": torch.arange(3) % 2}, 0.1, loss
    )
    assert worst > plain


def test_balanced_classes_weigh_the_same_in_sum() -> None:
    counts = [10, 30, 0]
    weights = class_weights(counts).double()
    assert weights[0] * 10 == pytest.approx(float(weights[1] * 30))
    assert float((weights[:2] * torch.tensor(counts[:2])).sum()) == pytest.approx(40)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "one-cycle"])
def test_every_schedule_rises_to_its_peak_and_never_beyond(schedule: str) -> None:
    factors = [learning_rate_factor(schedule, step, 100, 0.2) for step in range(100)]
    peak = int(np.argmax(factors))
    assert factors[0] < 0.1 and factors[peak] == pytest.approx(1.0) and max(factors) <= 1.0
    assert factors[:20] == sorted(factors[:20]) and peak == 20
    assert schedule == "constant" or factors[-1] < 0.03


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop", "adafactor"])
def test_every_optimiser_goes_downhill(name: Any) -> None:
    torch.manual_seed(0)
    net = torch.nn.Linear(4, 1)
    x, y = torch.randn(32, 4), torch.randn(32, 1)
    optimizer = build_optimizer(Train(optimizer=name, lr=0.02), net.parameters())
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < losses[0]


GREY: Any = as_inputs({"kind": "image", "height": 32, "width": 32, "high": 16.0, "scale": [16.0]})


@pytest.mark.parametrize("tune", ["full", "last", "frozen"])
def test_efficientnet_learns_the_same_however_a_batch_is_divided(tune: Any) -> None:
    torch.manual_seed(0)
    whole = WithHead(EfficientNetLite0(), 1280, 0.0, 3)
    net = ImageNet(PretrainedScaling(GREY, 48), whole, "body.", Vision(tune=tune, last=1)).train()
    x = torch.rand(4, 1, 32, 32)
    torch.testing.assert_close(net(x)[:2], net(x[:2]))
    shares = {"full": 1.0, "last": 0.4, "frozen": 0.01}
    count = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert count <= shares[tune] * sum(p.numel() for p in net.parameters())


def test_images_of_any_scale_come_to_the_weights_as_they_were_trained() -> None:
    raw = torch.randint(0, 17, (2, 1, 32, 32)).float()
    scaled = PretrainedScaling(GREY, None)(raw / 16.0)
    mean, deviation = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    expected = (raw / 16.0 - mean.view(-1, 1, 1)) / deviation.view(-1, 1, 1)
    torch.testing.assert_close(scaled, expected)


@pytest.mark.parametrize("size", [None, 48], ids=str)
def test_a_vision_model_is_served_as_a_graph(size: int | None, tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = WithHead(EfficientNetLite0(), 1280, 0.1, 3)
    net = ImageNet(PretrainedScaling(GREY, size), whole, "body.", Vision(tune="frozen")).eval()
    export_program(Serving(net, GREY), (32, 32), tmp_path / "program.pt2")
    program = torch.export.load(tmp_path / "program.pt2").module()
    raw = torch.randint(0, 17, (5, 32, 32)).double()
    expected = torch.softmax(net(raw[:, None].float() / 16.0), dim=1)
    torch.testing.assert_close(program(raw), expected, rtol=1e-4, atol=1e-5)


def test_transformers_classify_images_too(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTModel

    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    ViTModel(ViTConfig(image_size=16, patch_size=8, intermediate_size=16, **small)).save_pretrained(
        tmp_path
    )
    card = as_card({"inputs": GREY.as_json(), "classes": ["a", "b", "c"]})
    weights = LocalWeights(path="vit")
    for tune in ("full", "last", "lora"):
        net = image_net(Vision(weights=weights, tune=tune, last=1), tmp_path, card)  # type: ignore[arg-type]
        assert net(torch.rand(2, 1, 32, 32)).shape == (2, 3)
        assert (tune == "full") == all(p.requires_grad for p in net.parameters())
