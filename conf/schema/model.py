"""Section `model`: what is trained."""

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
    """Dropout before the last layer."""


class Mlp(ModelSettings):
    """A network of fully connected layers, for tables (and for images, flattened)."""

    capabilities: ClassVar = Capabilities(
        data=("image", "table"),
        network="models.networks.mlp:mlp_net",
        auxiliary_target=True,
        private=True,
        recipes=(*ALL_BUT_NARROW, "narrow"),
        search=("networks", "mlp"),
    )

    kind: Literal["mlp"] = "mlp"
    """A network of fully connected layers."""
    width: Annotated[int, Field(ge=1, le=8_192)] = 128
    """Units of each hidden layer."""
    depth: Annotated[int, Field(ge=0, le=64)] = 2
    """Hidden layers; without any it is logistic regression."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.1
    """Dropout after each hidden layer."""
    norm: bool = True
    """Layer normalisation in each hidden layer."""


class TextCnn(ModelSettings):
    """A small network for texts that learns from scratch, on the encoding of `clean.text`, which
    the training part gives: for languages that no weights at hand know (Kim 2014)."""

    capabilities: ClassVar = Capabilities(
        data=("text",),
        network="models.networks.text_cnn:text_cnn_net",
        auxiliary_target=True,
        recipes=ALL_BUT_NARROW,
        search=("text_cnn",),
    )

    kind: Literal["text_cnn"] = "text_cnn"
    """Convolutions over the vectors of a text's tokens."""
    width: Annotated[int, Field(ge=4, le=4_096)] = 128
    """Numbers of a token's vector, and filters of each length."""
    longest: Annotated[int, Field(ge=1, le=16)] = 3
    """Tokens that the longest filters read; there are filters of every length up to it."""
    pool: Literal["max", "mean", "both"] = "both"
    """What counts of a filter's answers along a text: the largest, their mean (a bag of n-grams, as
    in fastText), or both."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.3
    """Dropout of token vectors and before the last layer."""


class Gru(ModelSettings):
    """An encoder-decoder that learns from scratch to write texts, for pairs."""

    capabilities: ClassVar = Capabilities(
        data=("pairs",),
        network="models.modules.seq2seq_loss:gru_net",
        sharded=False,
        search=("gru",),
    )

    kind: Literal["gru"] = "gru"
    """A recurrent encoder-decoder with attention."""
    width: Annotated[int, Field(ge=8, le=4_096, multiple_of=2)] = 256
    """Numbers of a token's vector, and units of a recurrent layer."""
    layers: Annotated[int, Field(ge=1, le=8)] = 1
    """Recurrent layers of the encoder, and of the decoder."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.2
    """Dropout of token vectors, between layers and before the output."""
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Share of a target token's probability that is given to all tokens."""
    beams: Annotated[int, Field(ge=1, le=64)] = 4
    """Alternatives that are followed when a text is written; 1 takes the likeliest next token."""
    length_penalty: Annotated[float, Field(ge=0.0, le=5.0)] = 1.0
    """How much longer texts are preferred; 0 lets the likelihood alone decide."""


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
