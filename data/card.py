"""Data set card: `card.json` of a prepared data set, as typed, frozen models.

`prepare` writes the card, and everything after it reads from the card what a row looks like, which
classes there are and how many rows each split has. Fields that came later have a default, so that a
card written by an earlier version still loads, and `as_json` gives back the fields that were read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from conf.runtime.errors import DenseError
from conf.runtime.types import Floats, Floats32
from data.encoding.table_encoder import ColumnSpec

Normalization = Literal["unit", "symmetric", "none", "standard", "robust"]
"""How `shift` and `scale` were fitted (`clean.normalize`)."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    def model_post_init(self, _context: object) -> None:
        """Count the tag of a union as set, so that `as_json` writes it."""
        if "kind" in type(self).model_fields:
            self.model_fields_set.add("kind")

    def as_json(self) -> dict[str, JsonValue]:
        """The fields that were set, as JSON values: what is written to disk."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class ImageInputs(_Frozen):
    """Images of one size; a network sees `(raw - shift) / scale`."""

    kind: Literal["image"] = "image"
    height: int
    """Pixels."""
    width: int
    """Pixels."""
    channels: int
    """1 (grey) or 3 (RGB)."""
    low: float = 0.0
    """Smallest raw pixel value."""
    high: float
    """Largest raw pixel value: 255 for 8-bit images."""
    background: str | None = None
    """Colour under transparent pixels, as #rrggbb; None: transparency was ignored (before 0.2)."""
    brightest: float | None = None
    """Value that became `high` in images with more than 8 bits a channel; None: the type's own."""
    normalize: Normalization | None = None
    """How `shift` and `scale` were fitted."""
    shift: tuple[float, ...]
    """One number per channel, in raw pixel values."""
    scale: tuple[float, ...]
    """One number per channel, in raw pixel values; never 0."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    def shift_and_scale(self) -> tuple[Floats32, Floats32]:
        """Shift and scale, each of shape (channels, 1, 1)."""
        shift, scale = _float32(self.shift), _float32(self.scale)
        return shift.reshape(-1, 1, 1), scale.reshape(-1, 1, 1)


class TableInputs(_Frozen):
    """Rows of a table; a network sees `(raw - shift) / scale`.

    The numeric columns come first, then the one-hot columns of the categorical ones
    (`data.encoding.table_encoder`), which have shift 0 and scale 1.
    """

    kind: Literal["table"] = "table"
    features: int
    """Numbers per row, one-hot columns included."""
    names: tuple[str, ...] = ()
    """Names of the features, in order."""
    normalize: Normalization | None = None
    """How `shift` and `scale` were fitted."""
    shift: tuple[float, ...]
    """One number per feature, in the column's unit; a single number stands for all features."""
    scale: tuple[float, ...]
    """One number per feature, in the column's unit; never 0."""
    fill: tuple[float, ...] | None = None
    """What replaces a missing value of each feature, in the column's unit; None: nothing is missing
    or missing values were filled in by `prepare`."""
    levels: dict[str, tuple[str, ...]] = {}
    """Categories of each categorical column that have a one-hot column, in order."""
    columns: tuple[dict[str, JsonValue], ...] = ()
    """Encoding of each raw column of a table in a file (`data.encoding.table_encoder`)."""
    missing: tuple[str, ...] = ()
    """Written values that mean a missing one, beside the empty string."""

    @property
    def numeric(self) -> int:
        """Number of numeric features; the one-hot ones come after them."""
        return self.features - sum(map(len, self.levels.values()))

    @property
    def specs(self) -> tuple[ColumnSpec, ...]:
        """Encoding of each raw column; empty where rows are arrays.

        A model registered before version 0.2 names its features and its categories only.
        """
        if self.columns or not self.levels:
            return self.columns
        numbers = ({"name": name, "kind": "number"} for name in self.names[: self.numeric])
        categories = (
            {"name": name, "kind": "category", "levels": list(known)}
            for name, known in sorted(self.levels.items())
        )
        return (*numbers, *categories)

    def shift_and_scale(self) -> tuple[Floats, Floats]:
        """Shift and scale, each float64 of shape (features,): dates in seconds and long numbers
        lose their digits in float32."""
        return np.asarray(self.shift, np.float64), np.asarray(self.scale, np.float64)


class TokenLengths(_Frozen):
    """Number of tokens per text over the training split."""

    median: float
    p95: float
    """95th percentile."""


class _TokenInputs(_Frozen):
    vocabulary: int
    """Number of tokens that the prepared tokenizer knows."""
    pad: int
    """Id of the padding token."""
    start: int = 2
    """Id of the token that starts a target text."""
    end: int = 3
    """Id of the token that ends a target text."""
    longest: int
    """Tokens after which a text is cut (`clean.text.tokens`)."""
    lengths: dict[str, TokenLengths] = {}
    """By column of texts."""


class TextInputs(_TokenInputs):
    """Texts, as tokens of the byte-pair encoding that `prepare` trained."""

    kind: Literal["text"] = "text"


class PairsInputs(_TokenInputs):
    """Text pairs: the source text is read, the target text is generated."""

    kind: Literal["pairs"] = "pairs"


VectorInputs = ImageInputs | TableInputs
"""Inputs that are arrays of numbers."""
TokenInputs = TextInputs | PairsInputs
"""Inputs that are texts."""
Inputs = Annotated[
    ImageInputs | TableInputs | TextInputs | PairsInputs, Field(discriminator="kind")
]
"""What a row looks like to a model."""
_INPUTS: TypeAdapter[Inputs] = TypeAdapter(Inputs)


def parse_inputs(value: object) -> Inputs:
    """`inputs` of a card or of a registered model's metadata.

    Raises:
        DenseError: they are no inputs of a known kind.
    """
    try:
        return _INPUTS.validate_python(value)
    except ValidationError as error:
        raise DenseError(f"these are not the inputs of a data set card ({error})") from error


class RowCounts(_Frozen):
    """Numbers of rows."""

    read: int
    """In the source."""
    kept: int
    """After cleaning; the sum of the splits."""
    train: int
    validation: int
    test: int


class RuleResult(_Frozen):
    """What one cleaning rule did."""

    rule: str
    rows_in: int = Field(alias="in")
    """Rows before the rule."""
    rows_out: int = Field(alias="out")
    """Rows after it."""
    changed: int = 0
    """Rows that stayed, with another content."""
    flagged: int = 0
    """Rows that are reported and left as they are."""
    examples: tuple[str, ...] = ()
    """A few of the rows that were removed, changed or flagged, as sentences."""

    @property
    def removed(self) -> int:
        """Rows that the rule removed."""
        return self.rows_in - self.rows_out


class Leakage(_Frozen):
    """Contents that occur in more than one split, by how they were compared; `prepare` refuses data
    where one of these is not 0."""

    exact: int
    """Equal contents."""
    near: int | None = None
    """Near duplicates; None: not looked for."""
    groups: int | None = None
    """Groups; None: rows have no group."""
    sources: int | None = None
    """Source texts of text pairs; None: rows are no text pairs."""


class Anonymity(_Frozen):
    """k-anonymity of a table: how many rows share their values in some columns.

    Source: Sweeney, "k-anonymity: a model for protecting privacy", 2002,
    doi:10.1142/S0218488502001648.
    """

    columns: tuple[str, ...]
    smallest: int
    """k: rows of the smallest group with equal values."""
    groups: int
    """Number of groups."""
    rows_below: int
    """Rows in groups of fewer than `below` rows."""
    below: int
    """Size from which a group counts as safe."""


class TargetStatistics(_Frozen):
    """Distribution of a numeric target over the training split, in the target's unit."""

    mean: float
    deviation: float
    """Standard deviation; 1 where all targets are equal."""
    low: float = 0.0
    """Minimum."""
    high: float = 0.0
    """Maximum."""


class AuxiliaryTargetCard(_Frozen):
    """The second target of each row, which is predicted beside the first (`data.second`)."""

    name: str
    classes: tuple[str, ...] = ()
    """Names of the classes in the order of their numbers; empty: a number is predicted."""
    counts: dict[str, dict[str, int]] = {}
    """Rows of each class by split."""
    target: TargetStatistics | None = None
    """Of a numeric target; None: classes are predicted."""


class DataCard(_Frozen):
    """What was read, what each cleaning rule did, and what came out."""

    key: str = ""
    """Data key: name of the folder in `home/data`."""
    fingerprint: str = ""
    """SHA-256 over the bytes of the source."""
    version: int = 1
    """`PREPARE_VERSION` that wrote the data."""
    kind: Literal["image", "table", "text", "pairs"]
    """Kind of the data; the same as `inputs.kind`."""
    task: Literal["classification", "regression", "multilabel", "translation", "summarization"] = (
        "classification"
    )
    """What is predicted (`data.task`)."""
    source: dict[str, JsonValue] = {}
    """The study's `data` section, with the place and the licence of the source."""
    split: dict[str, JsonValue] = {}
    """The study's `split` section."""
    rows: RowCounts
    rules: tuple[RuleResult, ...] = ()
    """In the order in which they were applied."""
    missing: int = 0
    """Rows that were removed for a missing value."""
    duplicates: int = 0
    """Rows that were removed as duplicates."""
    left_out: dict[str, str] = {}
    """Columns of the source that no model sees, each with the reason."""
    missed_shares: dict[str, float] = {}
    """By how much the share of a split differs from the one in `split`, as a share of all rows;
    splits that differ by less than a hundredth are absent."""
    leakage: Leakage | None = None
    anonymity: Anonymity | None = None
    """None: not asked for (`clean.privacy.anonymity`)."""
    folds: tuple[int, ...] | None = None
    """Rows of each fold; None without folds."""
    classes: tuple[str, ...] = ()
    """Names of the classes in the order of their numbers; empty: numbers or texts are predicted."""
    counts: dict[str, dict[str, int]] = {}
    """Rows of each class by split (train, validation, test)."""
    target: TargetStatistics | None = None
    """Of a numeric target; None: classes or texts are predicted."""
    second: AuxiliaryTargetCard | None = None
    """The auxiliary target; None: there is none."""
    shape: tuple[int, ...] = ()
    """(height, width, channels) of an image, (features,) of a table; empty for texts."""
    inputs: Inputs
    """What a row looks like to a model."""

    @classmethod
    def read(cls, path: Path) -> DataCard:
        """The card in a file.

        Raises:
            DenseError: the file cannot be read as a card.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise DenseError(
                f"{path} cannot be read as a data set card ({error}); delete its folder and run "
                "again to prepare the data again"
            ) from error

    @property
    def multilabel(self) -> bool:
        """Whether a row has any number of the classes."""
        return self.task == "multilabel"

    @property
    def label_separator(self) -> str:
        """Separator between the labels in one cell of a multilabel data set."""
        return str(self.source["label_separator"])


def _float32(values: tuple[float, ...]) -> Floats32:
    return np.asarray(values, dtype=np.float32)
