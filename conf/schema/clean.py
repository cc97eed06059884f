"""Section `clean`: which rows are removed or repaired before training, and how features are
scaled."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.schema.base import Section
from conf.schema.data import ColumnName

Chance = Annotated[float, Field(gt=0.0, lt=1.0)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]


class NearDuplicates(Section):
    """Near-duplicate rows: texts by MinHash of their shingles, images by perceptual hash, table
    rows by their numbers."""

    action: Literal["drop", "refuse"] = "drop"
    """Keep the first row of each group, or keep all and refuse the data if a group spans two
    splits."""
    similarity: Annotated[float, Field(ge=0.5, le=1.0)] = 0.85
    """Texts: share of common shingles (Jaccard similarity) from which two texts are duplicates."""
    distance: Annotated[int, Field(ge=0, le=16)] = 2
    """Images: largest Hamming distance between the 64-bit hashes of duplicates."""
    tolerance: Annotated[float, Field(ge=0.0, le=0.5)] = 0.001
    """Tables: largest relative difference of each number between duplicates."""


class Interquartile(Section):
    """Rows with a feature far outside the interquartile range of the training split."""

    kind: Literal["iqr"] = "iqr"
    """By interquartile range."""
    factor: Annotated[float, Field(gt=0.0, le=100.0)] = 3.0
    """Distance beyond the quartiles, in interquartile ranges, from which a value is an outlier."""


class Isolation(Section):
    """Rows that an isolation forest (Liu et al. 2008, doi:10.1109/ICDM.2008.17) isolates in the
    fewest splits."""

    kind: Literal["isolation"] = "isolation"
    """By isolation forest."""
    share: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.01
    """Share of the training rows that is dropped (contamination)."""


class ImageRules(Section):
    """Rules for images. Unreadable and truncated images are always dropped and reported."""

    blank: bool = True
    """Drop images of a single colour."""
    sharpness: Annotated[float, Field(ge=0.0, le=1e5)] = 0.0
    """Drop blurred images: those whose Laplacian has a variance below this; 0 drops none."""
    contrast: Annotated[float, Field(ge=0.0, le=127.0)] = 0.0
    """Drop images whose grey values have a standard deviation below this, of 255; 0 drops none."""
    pixels: Annotated[int, Field(ge=16, le=400_000_000)] = 50_000_000
    """Drop images with more pixels than this, without decoding them."""


class TextRules(Section):
    """Rules for texts. Empty texts are always dropped."""

    shortest: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Fewest characters of a text; shorter texts are dropped."""
    longest: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Most characters of a text; longer texts are dropped."""
    languages: tuple[Language, ...] = ()
    """Permitted languages (ISO 639-1); any language when empty."""
    encoding: Literal["keep", "mend", "drop"] = "mend"
    """Texts that were decoded with a wrong encoding (mojibake): repair them where possible and drop
    the others, drop them, or keep them."""
    ratio: Annotated[float, Field(ge=1.0, le=10_000.0)] = 9.0
    """Pairs: largest ratio between the lengths of the two sides."""
    vocabulary: Annotated[int, Field(ge=300, le=200_000)] = 8_000
    """Vocabulary size of the byte-pair encoding that is trained on the training split."""
    tokens: Annotated[int, Field(ge=4, le=8_192)] = 256
    """Most tokens of a text; longer texts are truncated."""

    @model_validator(mode="after")
    def _ordered(self) -> TextRules:
        if self.shortest > self.longest:
            raise ValueError(f"shortest {self.shortest} is above longest {self.longest}; swap them")
        return self


class Suspects(Section):
    """Label errors: labels that cross-validated predictions contradict (confident learning,
    arXiv:1911.00068)."""

    action: Literal["report", "drop"] = "report"
    """List them in the data card, or drop them from the training split."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Folds of the cross-validation."""


Personal = Literal["name", "email", "phone", "card", "iban", "ip", "national"]


class PersonalData(Section):
    """How personal data in texts and tables is treated."""

    mask: tuple[Personal, ...] = ("email", "phone", "card", "iban", "ip", "national")
    """Kinds of personal data in texts that are replaced by a tag. Names of people are detected by
    spaCy's English model, which comes with the extra `names`."""
    pseudonyms: bool = False
    """Replace each value by a stable pseudonym, a hash with the key `DENSE_PRIVACY_KEY`, instead of
    a tag."""
    regions: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...], Field(min_length=1, max_length=20)
    ] = ("US", "GB", "DE")
    """Countries whose telephone number formats are detected."""
    anonymity: tuple[ColumnName, ...] = ()
    """Tables: quasi-identifiers, columns that together might identify a person; the data card
    reports k-anonymity, the fewest rows that share a combination."""


class Clean(Section):
    """Each rule reports how many rows went in and came out."""

    missing: Literal["drop", "keep", "mean", "median", "mode", "constant"] = "drop"
    """Missing values: drop the row, keep them, or impute a statistic of the training split or a
    constant. Rows without a label are always dropped."""
    fill: float = 0.0
    """Constant that `missing: constant` imputes."""
    duplicates: Literal["drop", "keep"] = "drop"
    """Exact duplicates: keep the first of each, or keep all."""
    near: NearDuplicates | None = None
    """Near duplicates; not detected when absent."""
    labels: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Permitted labels; rows with others are dropped. Any label when empty."""
    class_floor: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Fewest rows of a class; smaller classes are dropped."""
    images: ImageRules = ImageRules()
    """Rules for images."""
    text: TextRules = TextRules()
    """Rules for texts."""
    privacy: PersonalData | None = None
    """Personal data."""
    outliers: Annotated[Interquartile | Isolation, Field(discriminator="kind")] | None = None
    """Outliers of a table, dropped from the training split."""
    suspects: Suspects | None = None
    """Suspected label errors in the training split."""
    normalize: Literal["auto", "unit", "symmetric", "standard", "robust", "none"] = "auto"
    """Scaling of inputs: [0, 1], [-1, 1], mean 0 and standard deviation 1, median 0 and
    interquartile range 1, or none. `auto`: unit for images, standard for tables."""
    per_channel: bool = False
    """Images: fit one scale for each channel."""
