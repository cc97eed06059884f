"""Section `augment`: the random changes that a trial makes to its training rows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from conf.section import Section

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Rotate(Section):
    """Rotation by a random angle."""

    degrees: Annotated[float, Field(ge=0.0, le=180.0)] = 10.0
    """Largest angle, in degrees, to either side."""
    p: Probability = 0.5
    """Chance that a row is rotated."""


class Shift(Section):
    """Translation by a random share of the size."""

    fraction: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1
    """Largest shift, as a share of width and height."""
    p: Probability = 0.5
    """Chance that a row is shifted."""


class Augment(Section):
    """Transformations of images by albumentations; absent ones are off."""

    rotate: Rotate | None = None
    """Rotation."""
    shift: Shift | None = None
    """Shift."""
