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


Model = Cnn
