"""A configuration with a union, as the project's own grows them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.schema.base import Section


class Small(Section):
    """One kind."""

    kind: Literal["small"] = "small"
    width: Annotated[int, Field(ge=1)] = 8
    dropout: float = 0.1


class Head(Section):
    """A part of the other kind."""

    layers: int = 1


class Large(Section):
    """The other kind."""

    kind: Literal["large"] = "large"
    dropout: float = 0.5
    head: Head | None = Head()


class Config(Section):
    """A union by name, beside a plain section."""

    model: Annotated[Small | Large, Field(discriminator="kind")] = Small()
    head: Head = Head()
