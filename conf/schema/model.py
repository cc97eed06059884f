"""Section `model`: the kinds of model, and the table of what each can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from conf.runtime.errors import BadInput
from conf.schema.base import (
    ALL_BUT_NARROW,
    Capabilities,
    ModelSettings,
)
from conf.schema.estimators import Estimator
from conf.schema.pretrained import Head, Transformer, Vision
from conf.schema.seq2seq import Causal, Seq2Seq


class Cnn(ModelSettings):
    """A small convolutional network for images."""

    capabilities: ClassVar = Capabilities(
        data=("image",),
        network="models.networks.cnn:cnn_net",
        private=True,
        recipes=(*ALL_BUT_NARROW, "narrow"),
        search=("networks", "cnn"),
    )

    kind: Literal["cnn"] = "cnn"
    """A small convolutional network."""
    width: Annotated[int, Field(ge=4, le=512)] = 32
    """Channels of the first convolution; the second has twice as many."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.1
    """Dropout before the output layer."""


class Mlp(ModelSettings):
    """A multi-layer perceptron for tables (and for images, flattened)."""

    capabilities: ClassVar = Capabilities(
        data=("image", "table"),
        network="models.networks.mlp:mlp_net",
        auxiliary_target=True,
        private=True,
        recipes=(*ALL_BUT_NARROW, "narrow"),
        search=("networks", "mlp"),
    )

    kind: Literal["mlp"] = "mlp"
    """A multi-layer perceptron."""
    width: Annotated[int, Field(ge=1, le=8_192)] = 128
    """Units of each hidden layer."""
    depth: Annotated[int, Field(ge=0, le=64)] = 2
    """Number of hidden layers; 0 is logistic (or linear) regression."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.1
    """Dropout after each hidden layer."""
    norm: bool = True
    """Layer normalisation in each hidden layer."""


class TextCnn(ModelSettings):
    """A small convolutional network for texts (TextCNN, Kim 2014, arXiv:1408.5882), trained from
    scratch on the byte-pair encoding of `clean.text`: for languages without pre-trained weights."""

    capabilities: ClassVar = Capabilities(
        data=("text",),
        network="models.networks.text_cnn:text_cnn_net",
        auxiliary_target=True,
        recipes=ALL_BUT_NARROW,
        search=("text_cnn",),
    )

    kind: Literal["text_cnn"] = "text_cnn"
    """A convolutional network over token embeddings."""
    width: Annotated[int, Field(ge=4, le=4_096)] = 128
    """Size of the token embeddings, and number of filters of each length."""
    longest: Annotated[int, Field(ge=1, le=16)] = 3
    """Length of the longest filters, in tokens; there are filters of every length up to it."""
    pool: Literal["max", "mean", "both"] = "both"
    """Pooling over the tokens: maximum, mean (a bag of n-grams, as in fastText, arXiv:1607.01759),
    or both."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.3
    """Dropout of the token embeddings and before the output layer."""


class Gru(ModelSettings):
    """A recurrent encoder-decoder for text generation, trained from scratch on pairs."""

    capabilities: ClassVar = Capabilities(
        data=("pairs",),
        network="models.modules.seq2seq_loss:gru_net",
        sharded=False,
        search=("gru",),
    )

    kind: Literal["gru"] = "gru"
    """A recurrent encoder-decoder with attention."""
    width: Annotated[int, Field(ge=8, le=4_096, multiple_of=2)] = 256
    """Size of the token embeddings and of the hidden state."""
    layers: Annotated[int, Field(ge=1, le=8)] = 1
    """Recurrent layers of the encoder, and of the decoder."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.2
    """Dropout of the token embeddings, between layers and before the output."""
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Label smoothing: share of a target token's probability that is spread over the vocabulary."""
    beams: Annotated[int, Field(ge=1, le=64)] = 4
    """Beam width of the beam search; 1 is greedy decoding."""
    length_penalty: Annotated[float, Field(ge=0.0, le=5.0)] = 1.0
    """Exponent of the length normalisation in beam search; larger values prefer longer texts, 0
    compares plain log-likelihoods."""


Model = Annotated[
    Cnn | Mlp | TextCnn | Gru | Seq2Seq | Causal | Transformer | Vision | Head | Estimator,
    Field(discriminator="kind"),
]

MODEL_KINDS: dict[str, type[ModelSettings]] = {
    settings.model_fields["kind"].default: settings for settings in get_args(get_args(Model)[0])
}
"""Every kind of model to its settings, in the order of the union."""


def capable_kinds(able: Callable[[Capabilities], object]) -> list[str]:
    """The kinds of model whose capabilities satisfy a condition."""
    return [kind for kind, settings in MODEL_KINDS.items() if able(settings.capabilities)]


def check_data_kind(kind: str, data: str) -> None:
    """Refuse a kind of model that does not take a kind of data.

    Raises:
        BadInput: names the kinds of model that do.
    """
    if data not in MODEL_KINDS[kind].capabilities.data:
        fits = capable_kinds(lambda row: data in row.data)
        raise BadInput(
            f"model.kind: {kind} does not take data of kind {data}; use {' or '.join(fits)}"
        )
