"""Write the prepared splits with `datasets`, the data set card and the tokenizer of texts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import datasets
import numpy.typing as npt
import pyarrow as pa
from datasets.arrow_writer import ArrowWriter

from data.sources.rows import CONTENT, Rows, fixed_list
from tasks.prepare.build import Built
from tasks.prepare.cleaning.labels import SPLITS

BLOCK = 512
FOLDERS = {"train": "parts/train", "validation": "parts/validation", "test": "test"}
TOKENIZER = "parts/tokenizer.json"


def write(built: Built, folder: Path, scratch: Path, names: dict[str, str]) -> None:
    """Write everything but the manifest into a temporary folder."""
    for number, split in enumerate(SPLITS):
        chosen = built.splits == number
        rows, labels = built.rows.keep(chosen), built.labels[chosen]
        plain = scratch / f"{split}.arrow"
        _write_plain(rows, labels, built.classes, plain)
        stored = datasets.Dataset.from_file(str(plain))
        # The library's own fingerprint is drawn at random; equal keys give equal bytes.
        named = datasets.Dataset(stored.data, info=stored.info, fingerprint=split)
        named.save_to_disk(str(folder / FOLDERS[split]))
        plain.unlink()
    if built.tokenizer is not None:
        (folder / TOKENIZER).write_text(built.tokenizer, encoding="utf-8")
    card = built.card.model_copy(update=names)
    (folder / "card.json").write_text(json.dumps(card.as_json(), indent=1))


def _write_plain(
    rows: Rows, labels: npt.NDArray[Any], classes: tuple[str, ...], file: Path
) -> None:
    """Write the stored columns of one split to an Arrow file, block by block."""
    features = _features(rows, classes, labels)
    with ArrowWriter(features=features, path=str(file)) as writer:
        for first in range(0, len(rows), BLOCK):
            writer.write_table(_block(rows, labels, first, features))
        writer.finalize()


def _block(
    rows: Rows, labels: npt.NDArray[Any], first: int, features: datasets.Features
) -> pa.Table:
    """The stored columns of up to `BLOCK` rows."""
    split = rows.table.slice(first, BLOCK)
    columns: dict[str, Any] = {"id": split.column("id")}
    if "label" in features:
        some = labels[first : first + BLOCK]
        columns["label"] = fixed_list(some) if some.ndim == 2 else some
    if rows.kind == "image":
        images = rows.images(first, first + BLOCK)
        columns["image"] = fixed_list(images.reshape(len(images), -1))
    for name in features:
        if name not in columns:
            columns[name] = split.column(name)
    return pa.table({name: columns[name] for name in features}).cast(features.arrow_schema)


def _features(rows: Rows, classes: tuple[str, ...], labels: npt.NDArray[Any]) -> datasets.Features:
    """The stored columns and their types."""
    columns: dict[str, Any] = {"id": datasets.Value("int64")}
    if labels.ndim == 2:
        columns["label"] = datasets.List(datasets.Value("int8"), length=len(classes))
    elif classes:
        columns["label"] = datasets.ClassLabel(names=list(classes))
    if labels.dtype.kind == "f":
        columns["label"] = datasets.Value("float64")
    if rows.has("second"):
        number = rows.table.column("second").type == pa.float64()
        columns["second"] = datasets.Value("float64" if number else "int64")
    if rows.has("fold"):
        columns["fold"] = datasets.Value("int8")
    for name in CONTENT[rows.kind]:
        if rows.kind in ("image", "table"):
            element = "uint8" if rows.kind == "image" else "float64"
            columns[name] = datasets.List(datasets.Value(element), length=math.prod(rows.shape))
        else:
            columns[name] = datasets.Value("string")
            columns[f"{name}_tokens"] = datasets.List(datasets.Value("int32"))
    return datasets.Features(columns)
