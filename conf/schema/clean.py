"""Section `clean`: which rows are removed or mended before training, and how they are scaled."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.schema.base import Section

Chance = Annotated[float, Field(gt=0.0, lt=1.0)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
ColumnName = Annotated[str, Field(min_length=1, max_length=200)]


class NearDuplicates(Section):
    """Rows that are almost the same: texts by MinHash of their shingles, images by their
    perceptual hash, rows of a table by their numbers."""

    action: Literal["drop", "refuse"] = "drop"
    """Keep the first of each, or keep all and refuse the data where two are in different parts."""
    similarity: Annotated[float, Field(ge=0.5, le=1.0)] = 0.85
    """Texts: share of common shingles from which two are the same."""
    distance: Annotated[int, Field(ge=0, le=16)] = 2
    """Images: bits of 64 by which two hashes of the same image may differ."""
    tolerance: Annotated[float, Field(ge=0.0, le=0.5)] = 0.001
    """Tables: share by which each number of the same row may differ."""


class Interquartile(Section):
    """Rows with a feature far outside the middle half of the training part."""

    kind: Literal["iqr"] = "iqr"
    """By interquartile range."""
    factor: Annotated[float, Field(gt=0.0, le=100.0)] = 3.0
    """Ranges beyond the quartiles from which a value is an outlier."""


class Isolation(Section):
    """Rows that an isolation forest separates soonest."""

    kind: Literal["isolation"] = "isolation"
    """By isolation forest."""
    share: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.01
    """Share of the training rows that is dropped."""


class ImageRules(Section):
    """What an image must be. Unreadable and truncated ones are always dropped and reported."""

    blank: bool = True
    """Drop images of one colour."""
    sharpness: Annotated[float, Field(ge=0.0, le=1e5)] = 0.0
    """Drop images whose Laplacian has less variance than this (blurred); 0 drops none."""
    contrast: Annotated[float, Field(ge=0.0, le=127.0)] = 0.0
    """Drop images whose grey values deviate by less than this, of 255; 0 drops none."""
    pixels: Annotated[int, Field(ge=16, le=400_000_000)] = 50_000_000
    """Drop images of more pixels than this, unread."""


class TextRules(Section):
    """What a text must be. Empty ones are always dropped."""

    shortest: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Characters below which a text is dropped."""
    longest: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Characters above which a text is dropped."""
    languages: tuple[Language, ...] = ()
    """Languages (ISO 639-1) a text may be in; any when empty."""
    encoding: Literal["keep", "mend", "drop"] = "mend"
    """Texts read in a wrong encoding: undo it where that is possible, else drop them."""
    ratio: Annotated[float, Field(ge=1.0, le=10_000.0)] = 9.0
    """Pairs: how many times longer one side may be than the other."""
    vocabulary: Annotated[int, Field(ge=300, le=200_000)] = 8_000
    """Tokens of the byte-pair encoding that is trained on the training part."""
    tokens: Annotated[int, Field(ge=4, le=8_192)] = 256
    """Tokens after which a text is cut."""

    @model_validator(mode="after")
    def _ordered(self) -> TextRules:
        if self.shortest > self.longest:
            raise ValueError(f"shortest {self.shortest} is above longest {self.longest}; swap them")
        return self


class Suspects(Section):
    """Labels that cross-validated predictions contradict (confident learning)."""

    action: Literal["report", "drop"] = "report"
    """Only name them in the card, or drop them from the training part."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Folds of the cross-validation."""


Personal = Literal["name", "email", "phone", "card", "iban", "ip", "national"]


class Privacy(Section):
    """What is done about personal data in texts and tables."""

    mask: tuple[Personal, ...] = ("email", "phone", "card", "iban", "ip", "national")
    """Kinds of personal data in texts that a tag takes the place of. Names of people are found by
    spaCy's English model, which comes with the extra `names`."""
    pseudonyms: bool = False
    """Give each value a stable pseudonym by a hash with the key `DENSE_PRIVACY_KEY` instead."""
    regions: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...], Field(min_length=1, max_length=20)
    ] = ("US", "GB", "DE")
    """Countries whose way of writing telephone numbers is looked for."""
    anonymity: tuple[ColumnName, ...] = ()
    """Tables: columns that together might name a person; the card says how few rows share them."""


class Clean(Section):
    """Each rule reports how many rows went in and came out."""

    missing: Literal["drop", "keep", "mean", "median", "mode", "constant"] = "drop"
    """Missing values: drop the row, keep it, or fill it in with what the training part says.
    Rows without a label are always dropped."""
    fill: float = 0.0
    """What `missing: constant` fills in."""
    duplicates: Literal["drop", "keep"] = "drop"
    """Exact duplicates: keep the first of each, or keep all."""
    near: NearDuplicates | None = None
    """Near duplicates; not looked for when absent."""
    labels: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Labels that are possible; rows with others are dropped. Any when empty."""
    class_floor: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Classes with fewer rows are dropped."""
    images: ImageRules = ImageRules()
    """Rules for images."""
    text: TextRules = TextRules()
    """Rules for texts."""
    privacy: Privacy | None = None
    """Personal data."""
    outliers: Annotated[Interquartile | Isolation, Field(discriminator="kind")] | None = None
    """Outliers of a table, dropped from the training part."""
    suspects: Suspects | None = None
    """Suspect labels of the training part."""
    normalize: Literal["auto", "unit", "symmetric", "standard", "robust", "none"] = "auto"
    """Scale of what a model sees: [0, 1], [-1, 1], mean 0 and deviation 1, median 0 and quartile
    range 1, or as it is. `auto`: unit for images, standard for tables."""
    per_channel: bool = False
    """Images: one scale a channel, where it is fitted."""
