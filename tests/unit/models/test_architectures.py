"""Pre-trained classifiers of all shapes: what is trained of them, what is saved, what they see."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.pretrained import Head, LocalWeights, Vision
from conf.schema.study import Study
from conf.schema.train import Train
from data.assets.pretrained import architectures_for
from data.encoding.tokenizer import longest_read
from models.build import pretrained_net
from models.modules.predictor import PredictorModule
from models.optimizers import build_optimizer
from models.pretrained.freezing import layer_depths, layer_names
from models.pretrained.frozen_features import body_of
from models.pretrained.image_classifier import (
    ImageNet,
    PretrainedScaling,
    image_net,
    pretrained_scaling,
)
from models.pretrained.loading import prefix_of
from models.pretrained.text_classifier import text_net
from tasks.train.preflight import make_ready
from tests.cards import as_card, as_inputs
from tests.tiny import study_of
from tests.tiny_nets import NETS, tiny_net

TEXTS = as_card({"inputs": {"kind": "text"}, "classes": ["bad", "good"]})
GREY: Any = as_inputs({"kind": "image", "height": 32, "width": 32, "high": 16.0, "scale": [16.0]})
IMAGES = as_card({"inputs": GREY.as_json(), "classes": ["a", "b", "c"]})
X = torch.tensor([[2, 4, 16, 5, 3], [2, 10, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]) > 0


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("weights")
    for name in NETS:
        tiny_net(found / name, name)
    return found


def text_of(folder: Path, seed: int = 0, **model: Any) -> Any:
    torch.manual_seed(seed)
    found = Study.model_validate(study_of(**{"lora": {"rank": 2}, "virtual": 3, **model})).model
    return text_net(found, folder, TEXTS)  # type: ignore[arg-type]


def image_of(folder: Path, seed: int = 0, **model: Any) -> ImageNet:
    torch.manual_seed(seed)
    return image_net(Vision(weights=LocalWeights(path="any"), **model), folder, IMAGES)


def trained(net: torch.nn.Module) -> set[str]:
    return {name for name, p in net.named_parameters() if p.requires_grad}


WAYS = [
    ("no pooler", "frozen"),
    ("no pooler", "lora"),
    ("no pooler", "prompt"),
    ("distilbert", "lora"),
    ("deberta", "ia3"),
    ("deberta", "prompt"),
    ("t5", "adalora"),
    ("bart", "last"),
    ("gpt2", "prefix"),
    ("xlnet", "lora"),
    ("vit", "lora"),
    ("convnext", "frozen"),
]


@pytest.mark.parametrize(("name", "tune"), WAYS)
def test_whatever_is_no_pre_trained_weight_is_trained_and_saved(
    name: str, tune: str, nets: Path
) -> None:
    image = "vocab_size" not in NETS[name][2]
    made = image_of if image else text_of
    first, second = (made(nets / name, seed, tune=tune, last=1) for seed in (0, 1))
    given = (torch.rand(2, 1, 32, 32),) if image else (X, MASK)
    said = first.eval()(*given)
    assert not torch.allclose(second.eval()(*given), said)
    state = PredictorModule(first, Train(), 4).state_dict()
    found = second.load_state_dict(
        {key.removeprefix("net."): value for key, value in state.items()}, strict=False
    )
    assert not found.unexpected_keys
    torch.testing.assert_close(second(*given), said)
    assert not any(p.requires_grad for n, p in first.named_parameters() if "original_module" in n)


@pytest.mark.parametrize("name", ["vit", "convnext"])
def test_of_images_the_head_is_trained_itself_and_merging_changes_no_answer(
    name: str, nets: Path
) -> None:
    net = image_of(nets / name, tune="lora", lora={"rank": 2, "targets": "all-linear"})
    assert not any("classifier" in name and "lora" in name for name in trained(net))
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    given = torch.rand(2, 1, 32, 32)
    said = net.eval()(given)
    torch.testing.assert_close(net.merged()(given), said, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "layers", "last"),
    [
        ("t5", 4, "decoder.block.1."),
        ("bart", 4, "decoder.layers.1."),
        ("convnext", 7, "encoder.stages.3.layers.1."),
        ("resnet", 7, "encoder.stages.3.layers.1."),
        ("deberta", 2, "encoder.layer.1."),
    ],
)
def test_layers_are_counted_through_stages_and_halves(
    name: str, layers: int, last: str, nets: Path
) -> None:
    image = "vocab_size" not in NETS[name][2]
    net = (image_of if image else text_of)(nets / name, tune="last", last=1, layer_decay=0.5)
    prefix = prefix_of(net.net)
    names = layer_names(net.net, prefix)
    assert len(names) == layers and names[-1] == f"{prefix}{last}"
    below = {name for name in trained(net) if name.startswith(f"net.{prefix}")}
    assert all(name.startswith(f"net.{names[-1]}") or "norm" in name for name in below)
    assert below and len(trained(net)) > len(below)
    depth = layer_depths(net.net, prefix)
    assert {depth[name] for name in depth if "embed" in name} <= {-1}
    assert set(depth.values()) == set(range(-1, layers))
    factors = {name: net.lr_factors()[p] for name, p in net.net.named_parameters()}
    for name, place in depth.items():
        assert factors[name] == 0.5 ** (layers - 1 - place)


@pytest.mark.parametrize("name", ["gpt2", "xlnet", "t5", "deberta"])
def test_an_answer_does_not_depend_on_what_fills_up(name: str, nets: Path) -> None:
    net = text_of(nets / name).eval()  # whatever token the configuration calls padding
    torch.testing.assert_close(net(X[1:, :3], MASK[1:, :3]), net(X, MASK)[1:])


@pytest.mark.parametrize("head", ["auto", "new"])
def test_weights_of_another_architecture_are_refused(head: str, nets: Path, tmp_path: Path) -> None:
    shutil.copytree(nets / "bert", tmp_path / "mixed")
    if head == "auto":
        shutil.copy(nets / "distilbert" / "model.safetensors", tmp_path / "mixed")
    else:
        facts = json.loads((tmp_path / "mixed" / "config.json").read_text())
        facts |= {"hidden_size": 32}
        (tmp_path / "mixed" / "config.json").write_text(json.dumps(facts))
    with pytest.raises(BadInput, match=r"of another architecture than its config\.json says"):
        text_of(tmp_path / "mixed", head=head)
    if head == "auto":
        with pytest.raises(BadInput, match="of another architecture"):
            body_of(Head(), tmp_path / "mixed", TEXTS.inputs)


def test_factors_of_ia3_do_not_decay(nets: Path) -> None:
    net = text_of(nets / "bert", tune="ia3")
    groups = build_optimizer(Train(weight_decay=0.1), net.parameters()).param_groups
    still = {id(p) for group in groups if not group["weight_decay"] for p in group["params"]}
    named = {name: p for name, p in net.named_parameters() if p.requires_grad}
    assert any("ia3" in name for name in named)
    for name, parameter in named.items():
        assert (id(parameter) in still) == ("ia3" in name or name.endswith("bias"))


def test_factors_of_ia3_stand_before_the_layers_that_its_authors_say(nets: Path) -> None:
    net = text_of(nets / "bert", tune="ia3", lora={"targets": "key,value,output.dense"})
    shapes = {n.split(".ia3")[0].rpartition(".")[2]: p.shape for n, p in ia3_of(net).items()}
    assert shapes == {"key": (16, 1), "value": (16, 1), "dense": (1, 32)}
    with torch.no_grad():
        for factor in ia3_of(net).values():
            factor.mul_(torch.rand_like(factor) + 0.5)
    said = net.eval()(X, MASK)
    torch.testing.assert_close(net.merged()(X, MASK), said)


def ia3_of(net: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in net.named_parameters() if ".ia3_" in name}


def test_the_head_of_an_image_classifier_goes_by_names_too(tmp_path: Path) -> None:
    names = {0: "c", 1: "a", 2: "b"}
    folder = tiny_net(tmp_path / "vit", "classifying vit", id2label=names, num_labels=3)
    net, x = image_of(folder).eval(), torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(net(x), net.net(net.colours(x)).logits[:, [1, 2, 0]])
    tiny_net(tmp_path / "generic", "classifying vit", num_labels=3)
    with pytest.raises(BadInput, match=r"model\.head=\{a: LABEL_0, b: LABEL_1, c: LABEL_2\}"):
        image_of(tmp_path / "generic")


def test_positions_are_interpolated_for_images_of_another_size(nets: Path) -> None:
    own, larger = (image_of(nets / "vit", size=size).eval() for size in (None, 24))
    assert larger(torch.rand(2, 1, 32, 32)).shape == (2, 3)
    assert own(torch.rand(2, 1, 32, 32)).shape == (2, 3)
    with pytest.raises(ValueError, match="doesn't match model"):
        own.net(torch.rand(2, 3, 24, 24))
    body = body_of(Head(weights=LocalWeights(path="any"), size=24), nets / "vit", GREY)
    assert body(torch.rand(2, 1, 32, 32)).shape == (2, 16)


@pytest.mark.parametrize(
    ("said", "size", "mean"),
    [
        ({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}, [16, 16], 0.5),
        ({"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_normalize": False}, 16, 0.0),
        ({}, [16, 24], 0.485),
    ],
    ids=["given", "none", "usual"],
)
def test_images_come_as_the_files_say(
    said: dict[str, Any], size: Any, mean: float, tmp_path: Path
) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    found = pretrained_scaling(Vision(), tmp_path, {"image_size": size}, GREY)
    assert isinstance(found, PretrainedScaling) and float(found.mean[0]) == pytest.approx(mean)
    height = 32 if size == [16, 24] else 16
    assert found(torch.rand(1, 1, 32, 32)).shape == (1, 3, height, height)


@pytest.mark.parametrize("name", ["classifying vit", "t5"])
def test_features_are_of_pre_trained_weights_alone(name: str, nets: Path) -> None:
    inputs = GREY if name != "t5" else TEXTS.inputs
    given = (torch.rand(2, 1, 32, 32),) if name != "t5" else (X, MASK)
    model, found = Head(weights=LocalWeights(path="any")), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        found.append(body_of(model, nets / name, inputs)(*given))
    torch.testing.assert_close(*found)
    assert found[0].shape == (2, 16)


def test_a_head_of_features_is_served_on_the_features_it_learnt_from(nets: Path) -> None:
    model, head = Head(weights=LocalWeights(path="any"), dropout=0.0), {}
    said = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        whole: Any = pretrained_net(model, nets / "classifying vit", IMAGES)
        head = head or whole.head.state_dict()
        whole.head.load_state_dict(head)
        said.append(whole.eval()(torch.ones(2, 1, 32, 32)))
    torch.testing.assert_close(*said)


@pytest.mark.parametrize(
    "form", ["", "IMAGE", "IMAGE_CLASSIFICATION", "SEQUENCE_CLASSIFICATION", "CAUSAL_LM",
             "MASKED_LM", "SEQ_TO_SEQ_CAUSAL_LM"]
)  # fmt: skip
def test_what_architectures_can_be_is_what_the_library_says(form: str) -> None:
    from transformers.models.auto import modeling_auto

    name = f"MODEL_FOR_{form}_MAPPING_NAMES" if form else "MODEL_MAPPING_NAMES"
    assert architectures_for(form) == set(getattr(modeling_auto, name))


@pytest.mark.parametrize(
    ("name", "model", "data", "message"),
    [
        ("vit", {}, TEXTS, "vit is no architecture to classify texts with"),
        ("bert", {"kind": "vision"}, IMAGES, "bert is no architecture to classify images with"),
        ("bert", {"kind": "head"}, IMAGES, "bert is no architecture to read images with"),
        ("vit", {"kind": "head"}, TEXTS, "vit is no architecture to read texts with"),
        ("gpt2", {"tune": "prompt"}, TEXTS, "gpt2 looks among tokens for the last one"),
    ],
    ids=["vit", "bert", "head of images", "head of texts", "prompt"],
)
def test_architectures_for_something_else_are_refused_before_the_first_trial(
    name: str, model: dict[str, Any], data: dict[str, Any], message: str, nets: Path, home: Home
) -> None:
    shutil.copytree(nets / name, home.path / "sources" / name)
    weights = {"source": "local", "path": name}
    given = {**study_of(), "model": {"kind": "transformer", "weights": weights, **model}}
    with pytest.raises(BadInput, match=message):
        make_ready(Study.model_validate(given), data, home, print)


def test_a_head_for_tokens_is_no_head_for_texts(nets: Path, home: Home) -> None:
    folder = home.path / "sources" / "bert"
    shutil.copytree(nets / "bert", folder)
    facts = json.loads((folder / "config.json").read_text())
    facts["architectures"] = ["BertForTokenClassification"]
    (folder / "config.json").write_text(json.dumps(facts))
    with pytest.raises(BadInput, match=r"tells tokens apart.*set model\.head=new"):
        make_ready(Study.model_validate(study_of()), TEXTS, home, print)
    make_ready(Study.model_validate(study_of(head="new")), TEXTS, home, print)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"model.tokens": {"low": 8, "high": 100, "type": "int"}}, "100 is more than the 64"),
        (
            {
                "model.tune": {"choices": ["full", "prefix"]},
                "model.virtual": {"choices": [1, 20], "when": {"model.tune": "prefix"}},
                "model.tokens": {"choices": [16, 60]},
            },
            "60 is more than the 64 tokens that the model reads beside 20",
        ),
        ({"model.pad": {"choices": ["[PAD]", "[NONE]"]}}, r"no token '\[NONE\]'"),
    ],
    ids=["tokens", "together", "pad"],
)
def test_no_searched_value_may_be_more_than_the_files_have(
    space: dict[str, Any], message: str, nets: Path, home: Home
) -> None:
    shutil.copytree(nets / "bert", home.path / "sources" / "bert")
    given = study_of(pad="[PAD]", virtual=8)
    study = Study.model_validate({**given, "search": {"space": space}})
    with pytest.raises(BadInput, match=message):
        make_ready(study, TEXTS, home, print)


@pytest.mark.parametrize(
    ("facts", "longest"),
    [
        ({"model_type": "camembert", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0}, 512),
    ],
    ids=lambda each: each["model_type"] if isinstance(each, dict) else "",
)
def test_positions_that_begin_behind_the_padding_token_are_fewer(
    facts: dict[str, Any], longest: int
) -> None:
    assert longest_read(facts) == longest


def test_what_a_prefix_learns_is_not_computed_again() -> None:
    given = study_of(tune="prefix")
    given["train"]["gradient_checkpointing"] = True
    with pytest.raises(ValueError, match=r"gradient_checkpointing.*prefix"):
        Study.model_validate(given)
