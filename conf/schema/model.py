"""Section `model`: what is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.schema.base import Section
from conf.schema.estimators import Estimator
from conf.schema.pretrained import Head, Transformer, Vision
from conf.schema.seq2seq import Causal, Seq2Seq


class Cnn(Section):
    """A small convolutional network for images."""

    kind: Literal["cnn"] = "cnn"
    """A small convolutional network."""
    width: Annotated[int, Field(ge=4, le=512)] = 32
    """Channels of the first convolution; the second has twice as many."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.1
    """Dropout before the last layer."""


class Mlp(Section):
    """A network of fully connected layers, for tables (and for images, flattened)."""

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


class TextCnn(Section):
    """A small network for texts that learns from scratch, on the encoding of `clean.text`, which
    the training part gives: for languages that no weights at hand know (Kim 2014)."""

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


class Gru(Section):
    """An encoder-decoder that learns from scratch to write texts, for pairs."""

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
