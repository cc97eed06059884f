"""Read raw rows or texts from files of many formats, as the registered model takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conf.runtime.errors import BadInput
from conf.runtime.types import Floats
from data.card import ImageInputs, Inputs, TableInputs
from data.encoding.table_encoder import encode, text_of
from data.sources.images import HIDDEN
from data.sources.images import SUFFIXES as IMAGES
from data.sources.table_file import READABLE, TableFile, TableFormat, container_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FileRows:
    """Rows of a file: `values` is float64[n, *raw shape]."""

    values: Floats
    names: tuple[str, ...] = ()
    """Path of each image relative to the folder; empty for other files."""


DEFAULT_SETTINGS: Mapping[str, Any] = {}


def read_file(
    file: Path,
    inputs: Inputs,
    shape: Sequence[int],
    settings: Mapping[str, Any] = DEFAULT_SETTINGS,
) -> FileRows:
    """Raw rows of a file, or of all images in a folder.

    Args:
        file: `.npy` of shape (n, ...); `.csv`, `.tsv`, `.parquet` or `.jsonl` with one column per
            value, matched by name if the model's features have names; `.jsonl` with one array per
            line; an image, whose 0 to 255 are scaled to the model's input range; or a folder of
            images.
        inputs: of the model's metadata.
        shape: of one raw row.
        settings: the `data` section of its study, for `separator` and `encoding`.

    Raises:
        BadInput: the file cannot be read, is empty, or has rows of another shape.
    """
    names = inputs.names if isinstance(inputs, TableInputs) else ()
    read = _images(file, inputs) or FileRows(_numbers(file, names, settings))
    rows = read.values
    if len(rows) == 0:
        raise BadInput(f"{file} has no rows; add at least one")
    if rows.shape[1:] != tuple(shape) and rows[0].size != int(np.prod(shape)):
        raise BadInput(
            f"{file} has rows of shape {rows.shape[1:]}, but the model takes {tuple(shape)}"
        )
    return FileRows(rows.reshape(-1, *shape), read.names)


def read_texts(
    file: Path, column: str | None, settings: Mapping[str, Any] = DEFAULT_SETTINGS
) -> list[str | None]:
    """Raw texts of a file; None where one is missing.

    Args:
        file: `.txt` with one text per line; `.jsonl` with one string or object per line; or a
            table of any container.
        column: name of the text column in training; without it `text` or the only column is read.
        settings: as for `read_file`.

    Raises:
        BadInput: the file cannot be read, or is empty.
    """
    if file.suffix == ".txt":
        try:
            texts: list[str | None] = list(file.read_text(encoding="utf-8").splitlines())
        except (OSError, ValueError) as error:
            raise BadInput(f"{file} cannot be read as texts: {error}") from error
    else:
        texts = _texts(file, column, settings)
    if not texts:
        raise BadInput(f"{file} has no rows; add at least one")
    return texts


def _texts(file: Path, column: str | None, settings: Mapping[str, Any]) -> list[str | None]:
    table = read_table(file, settings)
    if table is None:
        raise BadInput(f"{file} is not a .txt, {READABLE} file; convert it to one of them")
    if isinstance(table, list):
        return [text_of(value) for value in table]
    named = [name for name in (column, "text") if name in table]
    if not named and table.shape[1] != 1:
        has = ", ".join(map(str, table))
        raise BadInput(f"{file} cannot be read as texts: it has no column 'text'; it has {has}")
    values = table[named[0]] if named else table.iloc[:, 0]
    return [text_of(value) for value in values]


def read_table(file: Path, settings: Mapping[str, Any]) -> pd.DataFrame | list[Any] | None:
    """Read a file with named columns as training reads it; values as the container has them.

    Returns:
        A frame; a list of values for JSON lines that are not objects; None for other file types.

    Raises:
        BadInput: it cannot be read, or some of its lines are broken.
    """
    if container_of(file) is None:
        return None
    if file.suffix == ".jsonl" and (values := _json_values(file)) is not None:
        return values
    table = TableFile(file, TableFormat.of(settings))
    frame = table.table().to_pandas()
    if table.broken.count:
        line = table.broken.examples[0]
        raise BadInput(f"{file} cannot be read as a table ({line}); correct the line")
    return frame


def _json_values(file: Path) -> list[Any] | None:
    """Values of JSON lines that are no objects; None where the first line is an object."""
    try:
        # Not `splitlines`: a JSON string may contain other line separators, such as U+2028.
        lines = [line for line in file.read_text("utf-8-sig").split("\n") if line.strip()]
        if not lines or isinstance(json.loads(lines[0]), dict):
            return None
        return [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise BadInput(f"{file} cannot be read as JSON lines: {error}") from error


def _numbers(file: Path, names: Sequence[str], settings: Mapping[str, Any]) -> Floats:
    try:
        if file.suffix == ".npy":
            return np.asarray(np.load(file, allow_pickle=False), dtype=np.float64)
        table = read_table(file, settings)
        if table is None:
            raise BadInput(
                f"{file} is not a .npy, {READABLE} file or an image; convert it to one of them"
            )
        if isinstance(table, list):
            return np.asarray(table, dtype=np.float64)
        return _columns(table, names, settings)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{file} cannot be read as rows of numbers: {error}") from error


def _columns(frame: pd.DataFrame, names: Sequence[str], settings: Mapping[str, Any]) -> Floats:
    if missing := [name for name in names if name not in frame]:
        has = ", ".join(map(str, frame))
        raise ValueError(f"column {missing[0]!r} is missing; it has {has}")
    written = TableFormat.of(settings).numbers
    specs = [{"name": name, "kind": "number", **written} for name in names or frame.columns]
    return encode(frame, specs)


def _images(file: Path, inputs: Inputs) -> FileRows | None:
    """The image, or the images of the folder, at a path; None if it is another file.

    Raises:
        BadInput: the model does not take images, one cannot be decoded, or the folder has none.
    """
    if file.is_dir():
        inner = (path.relative_to(file) for path in file.rglob("*") if is_image(path))
        names = sorted(str(path) for path in inner if not _is_hidden(path))
        if not names:
            raise BadInput(f"the folder {file} has no images ({', '.join(IMAGES)})")
    elif is_image(file):
        names = [""]
    else:
        return None
    if not isinstance(inputs, ImageInputs):
        raise BadInput(f"{file} holds images, but the model takes rows of kind {inputs.kind}")
    return FileRows(read_images(file, names, inputs), tuple(filter(None, names)))


def read_images(folder: Path, names: Sequence[str], inputs: ImageInputs) -> Floats:
    """Images of a folder in the model's input range: float64[n, *raw shape].

    Raises:
        BadInput: one cannot be decoded.
    """
    return np.stack([_pixels(folder / name, inputs) for name in names])


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(HIDDEN) for part in path.parts)


def is_image(path: Path) -> bool:
    """Whether a path has the suffix of an image."""
    return path.suffix.lower() in IMAGES


def _pixels(file: Path, inputs: ImageInputs) -> Floats:
    """One image decoded as in `prepare`, in the model's input range; 2-dimensional if grey."""
    from conf.schema.clean import ImageRules
    from data.sources.decode import PixelScale, decode

    scale = PixelScale(inputs.background, inputs.brightest)
    pixels = decode(file, inputs.shape, ImageRules(), scale)
    if isinstance(pixels, str):
        raise BadInput(f"{file} cannot be read as an image: it is {pixels} or missing")
    low, high = inputs.low, inputs.high
    values = low + pixels.astype(np.float64) * ((high - low) / 255.0)
    return values if inputs.channels > 1 else values[..., 0]
