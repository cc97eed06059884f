"""Section `augment`: the random changes that a trial makes to its training rows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.schema.base import Section
from conf.schema.pretrained import HubWeights, LocalWeights

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Translator = Annotated[HubWeights | LocalWeights, Field(discriminator="source")]


class Change(Section):
    """What may happen to a row in an epoch."""

    p: Probability = 0.5
    """Chance that it happens."""


class Rotate(Change):
    """Rotation by a random angle."""

    degrees: Annotated[float, Field(ge=0.0, le=180.0)] = 10.0
    """Largest angle, in degrees, to either side."""


class Shift(Change):
    """Translation by a random share of the size."""

    fraction: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1
    """Largest shift, as a share of width and height."""


class Shear(Change):
    """Slanting by a random angle."""

    degrees: Annotated[float, Field(ge=0.0, le=45.0)] = 5.0
    """Largest angle, in degrees, to either side."""


class Zoom(Change):
    """Scaling about the centre by a random factor."""

    fraction: Annotated[float, Field(ge=0.0, le=0.8)] = 0.1
    """Largest growth or shrinkage, as a share of the size."""


class Flip(Change):
    """Mirroring."""

    axis: Literal["horizontal", "vertical", "both"] = "horizontal"
    """Left to right, top to bottom, or one of the two by chance."""


class Crop(Change):
    """A random part of the image, brought back to its size."""

    smallest: Annotated[float, Field(ge=0.05, le=1.0)] = 0.7
    """Least share of the area that stays."""


class Noise(Section):
    """Gaussian noise on every pixel."""

    deviation: Annotated[float, Field(ge=0.0, le=0.5)] = 0.05
    """Largest standard deviation, as a share of the range of pixels."""
    p: Probability = 0.3
    """Chance that a row gets noise."""


class Blur(Section):
    """Gaussian blur."""

    sigma: Annotated[float, Field(ge=0.1, le=10.0)] = 1.0
    """Largest width of the blur, in pixels."""
    p: Probability = 0.2
    """Chance that a row is blurred."""


class Colour(Change):
    """Brightness, contrast and, in colour images, saturation and hue."""

    brightness: Annotated[float, Field(ge=0.0, le=0.9)] = 0.2
    """Largest change of brightness, as a share."""
    contrast: Annotated[float, Field(ge=0.0, le=0.9)] = 0.2
    """Largest change of contrast, as a share."""
    saturation: Annotated[float, Field(ge=0.0, le=0.9)] = 0.2
    """Largest change of saturation, as a share; no effect on grey images."""
    hue: Annotated[float, Field(ge=0.0, le=0.5)] = 0.02
    """Largest change of hue, as a share of the circle; no effect on grey images."""


class Erase(Section):
    """Rectangles set to zero (dropout of pixels)."""

    holes: Annotated[int, Field(ge=1, le=64)] = 1
    """Most rectangles."""
    size: Annotated[float, Field(gt=0.0, le=0.9)] = 0.2
    """Largest side, as a share of the image's."""
    p: Probability = 0.3
    """Chance that a row is erased in part."""


class Mixup(Section):
    """Each row of a batch blended with another one and its label (images and tables)."""

    alpha: Annotated[float, Field(gt=0.0, le=10.0)] = 0.2
    """Of the Beta distribution of the blend; small values blend little."""
    p: Probability = 1.0
    """Chance that a batch is blended."""


class Cutmix(Section):
    """A rectangle of each image replaced by another image's, the label in proportion."""

    alpha: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    """Of the Beta distribution of the rectangle's area."""
    p: Probability = 0.5
    """Chance that a batch is cut."""


class Synonyms(Change):
    """Words replaced by synonyms (Moby's thesaurus; Cilin for Chinese), fetched as an asset."""

    share: Share = 0.1
    """Share of the words that may be replaced."""
    language: Literal["en", "zh"] = "en"
    """Language of the texts."""


class WordNoise(Section):
    """Words (of Chinese: characters) of a text swapped or deleted."""

    share: Share = 0.1
    """Share of the words concerned."""
    p: Probability = 0.3
    """Chance that a row is changed."""


class Typos(Section):
    """Typing errors: a neighbour on the keyboard, a letter left out, doubled or swapped."""

    share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.02
    """Share of the letters concerned."""
    p: Probability = 0.3
    """Chance that a row is changed."""


class BackTranslation(Change):
    """Texts in the words of two translations, there and back, made once when data is prepared."""

    there: Translator
    """Model that translates into another language."""
    back: Translator
    """Model that translates back."""


class Jitter(Section):
    """Gaussian noise on a table's features, after they were scaled."""

    deviation: Annotated[float, Field(ge=0.0, le=2.0)] = 0.05
    """Standard deviation, in units of the scaled feature."""
    p: Probability = 1.0
    """Chance that a row gets noise."""


class Oversample(Section):
    """Rows of rare classes seen more often in an epoch (tables: made anew between neighbours)."""

    kind: Literal["repeat", "smote"] = "repeat"
    """Repeat rows, or make rows between neighbours of the class (SMOTE, tables only)."""
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Rows that a class shall have, as a share of the largest class's."""


class Augment(Section):
    """Absent changes are off. A preset turns several on; what is named besides it goes first."""

    preset: Literal["light", "medium", "heavy"] | None = None
    """A tried set of changes for images, texts or tables, whichever the data is."""
    rotate: Rotate | None = None
    """Images: rotation."""
    shift: Shift | None = None
    """Images: shift."""
    shear: Shear | None = None
    """Images: shear."""
    zoom: Zoom | None = None
    """Images: zoom."""
    flip: Flip | None = None
    """Images: mirroring."""
    crop: Crop | None = None
    """Images: crop."""
    noise: Noise | None = None
    """Images: noise."""
    blur: Blur | None = None
    """Images: blur."""
    colour: Colour | None = None
    """Images: colour."""
    erase: Erase | None = None
    """Images: dropout of rectangles."""
    mixup: Mixup | None = None
    """Images and tables: blends within a batch."""
    cutmix: Cutmix | None = None
    """Images: patches within a batch."""
    synonyms: Synonyms | None = None
    """Texts: synonyms."""
    swap: WordNoise | None = None
    """Texts: neighbouring words swapped."""
    delete: WordNoise | None = None
    """Texts: words left out."""
    typos: Typos | None = None
    """Texts: typing errors."""
    back_translation: BackTranslation | None = None
    """Texts: other words for the same, by two translation models."""
    jitter: Jitter | None = None
    """Tables: noise."""
    oversample: Oversample | None = None
    """Tables, images and texts: rare classes more often."""

    @model_validator(mode="after")
    def _one_blend(self) -> Augment:
        if self.mixup is not None and self.cutmix is not None and self.mixup.p + self.cutmix.p > 1:
            raise ValueError(
                "a batch is either mixed or cut: mixup.p and cutmix.p together are above 1"
            )
        return self
