"""Section `augment`: random changes of the training rows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.schema.base import Section
from conf.schema.pretrained import HubWeights, LocalWeights

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Translator = Annotated[HubWeights | LocalWeights, Field(discriminator="source")]


class Change(Section):
    """A change that happens to a row with some probability."""

    p: Probability = 0.5
    """Probability that a row is changed in an epoch."""


class Rotate(Change):
    """Rotation by a random angle."""

    degrees: Annotated[float, Field(ge=0.0, le=180.0)] = 10.0
    """Largest angle, in degrees, to either side."""


class Shift(Change):
    """Translation by a random share of the size."""

    fraction: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1
    """Largest shift, as a share of width and height."""


class Shear(Change):
    """Shearing by a random angle."""

    degrees: Annotated[float, Field(ge=0.0, le=45.0)] = 5.0
    """Largest angle, in degrees, to either side."""


class Zoom(Change):
    """Scaling about the centre by a random factor."""

    fraction: Annotated[float, Field(ge=0.0, le=0.8)] = 0.1
    """Largest enlargement or reduction, as a share of the size."""


class Flip(Change):
    """Mirroring."""

    axis: Literal["horizontal", "vertical", "both"] = "horizontal"
    """Left to right, top to bottom, or one of the two at random."""


class Crop(Change):
    """Random crop, resized to the original size."""

    smallest: Annotated[float, Field(ge=0.05, le=1.0)] = 0.7
    """Smallest share of the area that is kept."""


class Noise(Section):
    """Gaussian noise on every pixel."""

    deviation: Annotated[float, Field(ge=0.0, le=0.5)] = 0.05
    """Largest standard deviation, as a share of the pixel range."""
    p: Probability = 0.3
    """Probability that a row gets noise."""


class Blur(Section):
    """Gaussian blur."""

    sigma: Annotated[float, Field(ge=0.1, le=10.0)] = 1.0
    """Largest width of the blur, in pixels."""
    p: Probability = 0.2
    """Probability that a row is blurred."""


class Colour(Change):
    """Brightness and contrast and, in colour images, saturation and hue."""

    brightness: Annotated[float, Field(ge=0.0, le=0.9)] = 0.2
    """Largest change of brightness, as a share."""
    contrast: Annotated[float, Field(ge=0.0, le=0.9)] = 0.2
    """Largest change of contrast, as a share."""
    saturation: Annotated[float, Field(ge=0.0, le=0.9)] = 0.2
    """Largest change of saturation, as a share; no effect on grey images."""
    hue: Annotated[float, Field(ge=0.0, le=0.5)] = 0.02
    """Largest change of hue, as a share of the circle; no effect on grey images."""


class Erase(Section):
    """Random erasing: rectangles set to zero (cutout)."""

    holes: Annotated[int, Field(ge=1, le=64)] = 1
    """Most rectangles."""
    size: Annotated[float, Field(gt=0.0, le=0.9)] = 0.2
    """Largest side, as a share of the image's side."""
    p: Probability = 0.3
    """Probability that a row is erased in part."""


class Mixup(Section):
    """Mixup (Zhang et al. 2018, arXiv:1710.09412): each row of a batch and its label are blended
    with another row (images and tables)."""

    alpha: Annotated[float, Field(gt=0.0, le=10.0)] = 0.2
    """Parameter of the Beta distribution of the mixing weight; small values blend little."""
    p: Probability = 1.0
    """Probability that a batch is blended."""


class Cutmix(Section):
    """CutMix (Yun et al. 2019, arXiv:1905.04899): a rectangle of each image is replaced by another
    image's, and the label is blended in proportion to its area."""

    alpha: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    """Parameter of the Beta distribution of the rectangle's area."""
    p: Probability = 0.5
    """Probability that a batch is cut."""


class Synonyms(Change):
    """Words replaced by synonyms from a thesaurus (Moby for English, Cilin for Chinese) that is
    downloaded once."""

    share: Share = 0.1
    """Share of the words that may be replaced."""
    language: Literal["en", "zh"] = "en"
    """Language of the texts."""


class WordNoise(Section):
    """Words (in Chinese: characters) of a text swapped or deleted."""

    share: Share = 0.1
    """Share of the words that are changed."""
    p: Probability = 0.3
    """Probability that a row is changed."""


class Typos(Section):
    """Typing errors: a neighbouring key, a letter omitted, doubled or swapped."""

    share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.02
    """Share of the letters that are changed."""
    p: Probability = 0.3
    """Probability that a row is changed."""


class BackTranslation(Change):
    """Paraphrases by translating texts into another language and back (Sennrich et al. 2016,
    arXiv:1511.06709), computed once."""

    there: Translator
    """Model that translates into the other language."""
    back: Translator
    """Model that translates back."""


class Jitter(Section):
    """Gaussian noise on a table's scaled features."""

    deviation: Annotated[float, Field(ge=0.0, le=2.0)] = 0.05
    """Standard deviation, in units of the scaled feature."""
    p: Probability = 1.0
    """Probability that a row gets noise."""


class Oversample(Section):
    """Oversampling of rare classes in each epoch."""

    kind: Literal["repeat", "smote"] = "repeat"
    """Repeat rows, or interpolate between neighbours of the same class (SMOTE, arXiv:1106.1813;
    tables only)."""
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Rows of a class after oversampling, as a share of the largest class's rows."""


class Augment(Section):
    """Changes that are absent are off. A preset turns several on; a change that is set explicitly
    takes precedence over the preset."""

    preset: Literal["light", "medium", "heavy"] | None = None
    """A tested set of changes for images, texts or tables, depending on the data."""
    rotate: Rotate | None = None
    """Images: rotation."""
    shift: Shift | None = None
    """Images: translation."""
    shear: Shear | None = None
    """Images: shear."""
    zoom: Zoom | None = None
    """Images: zoom."""
    flip: Flip | None = None
    """Images: flipping."""
    crop: Crop | None = None
    """Images: crop."""
    noise: Noise | None = None
    """Images: noise."""
    blur: Blur | None = None
    """Images: blur."""
    colour: Colour | None = None
    """Images: colour jitter."""
    erase: Erase | None = None
    """Images: random erasing."""
    mixup: Mixup | None = None
    """Images and tables: mixup within a batch."""
    cutmix: Cutmix | None = None
    """Images: CutMix within a batch."""
    synonyms: Synonyms | None = None
    """Texts: synonyms."""
    swap: WordNoise | None = None
    """Texts: neighbouring words swapped."""
    delete: WordNoise | None = None
    """Texts: words deleted."""
    typos: Typos | None = None
    """Texts: typing errors."""
    back_translation: BackTranslation | None = None
    """Texts: paraphrases by two translation models."""
    jitter: Jitter | None = None
    """Tables: noise."""
    oversample: Oversample | None = None
    """Tables, images and texts: oversampling of rare classes."""

    @model_validator(mode="after")
    def _probabilities_add_up(self) -> Augment:
        if self.mixup is not None and self.cutmix is not None and self.mixup.p + self.cutmix.p > 1:
            raise ValueError(
                "a batch gets mixup or CutMix, not both: mixup.p + cutmix.p must be at most 1"
            )
        return self
