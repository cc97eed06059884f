"""Section `model`: what is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.section import Section


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


Model = Annotated[Cnn | Mlp, Field(discriminator="kind")]
