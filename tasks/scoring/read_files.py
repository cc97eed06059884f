"""Raw rows out of whatever kind of file people keep them in, as the registered model takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conf.runtime.errors import BadInput
from data.card import ImageInputs, Inputs, TableInputs
from data.sources.images import HIDDEN
from data.sources.images import SUFFIXES as IMAGES

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]


@dataclass(frozen=True)
class FileRows:
    """Rows of a file: `values` is float64[n, *raw shape]."""

    values: Values
    names: tuple[str, ...] = ()
    """Of a folder of images: the file of each row, relative to it."""


AS_USUAL: Mapping[str, Any] = {}


def read_file(
    file: Path,
    inputs: Inputs,
    shape: Sequence[int],
    settings: Mapping[str, Any] = AS_USUAL,
) -> FileRows:
    """Raw rows of a file, or of all images in a folder.

    Args:
        file: `.npy` of shape (n, ...); `.csv`, `.tsv`, `.parquet` or `.jsonl` with a column a
            value, found by name where the model's features have names; `.jsonl` with an array a
            line; an image, whose 0 to 255 are spread over the model's own range; a folder of
            images.
        inputs: what the model says of its inputs.
        shape: of one raw row.
        settings: its study's `data`, of which the separator and the encoding are taken.

    Raises:
        BadInput: the file cannot be read, or holds other rows.
    """
    names = inputs.names if isinstance(inputs, TableInputs) else ()
    found = _images(file, inputs) or FileRows(_numbers(file, names, settings))
    rows = found.values
    if len(rows) == 0:
        raise BadInput(f"{file} has no rows; give at least one")
    if rows.shape[1:] != tuple(shape) and rows[0].size != int(np.prod(shape)):
        raise BadInput(
            f"{file} has rows of shape {rows.shape[1:]}, but the model takes {tuple(shape)}"
        )
    return FileRows(rows.reshape(-1, *shape), found.names)


def read_texts(file: Path, column: str | None, settings: Mapping[str, Any] = AS_USUAL) -> list[str]:
    """Raw texts of a file.

    Args:
        file: `.txt` with a text a line; `.jsonl` with a text or an object a line; `.csv`, `.tsv`
            or `.parquet`.
        column: that held the texts in training; where it is not there, `text` or the only column.
        settings: as for `read_file`.

    Raises:
        BadInput: the file cannot be read, or what it holds is no text.
    """
    try:
        texts = _lines(file) if file.suffix == ".txt" else _texts(file, column, settings)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{file} cannot be read as texts: {error}") from error
    if not texts:
        raise BadInput(f"{file} has no rows; give at least one")
    if wrong := [row for row, text in enumerate(texts) if not isinstance(text, str)]:
        raise BadInput(f"{file}: row {wrong[0]} is no text ({texts[wrong[0]]!r})")
    return texts


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def _texts(file: Path, column: str | None, settings: Mapping[str, Any]) -> list[str]:
    import pandas as pd

    found = read_table(file, settings)
    if found is None:
        raise BadInput(f"{file} is no .txt, {', '.join(TABLES)} file; save the texts as one")
    if not isinstance(found, pd.DataFrame):
        return list(found)
    named = [name for name in (column, "text") if name in found]
    if not named and found.shape[1] != 1:
        raise ValueError(f"it has no column 'text'; it has {', '.join(map(str, found))}")
    return list(found[named[0]] if named else found.iloc[:, 0])


TABLES = (".csv", ".tsv", ".parquet", ".jsonl")


def read_table(file: Path, settings: Mapping[str, Any]) -> pd.DataFrame | list[Any] | None:
    """A file with named columns; of JSON lines that are no objects what they hold, of other files
    None. `settings` as for `read_file`."""
    import pandas as pd

    if file.suffix not in TABLES:
        return None
    if file.suffix == ".jsonl":
        return _json_lines(file)
    if file.suffix == ".parquet":
        return pd.read_parquet(file)
    between = settings.get("separator") or ("\t" if file.suffix == ".tsv" else ",")
    return pd.read_csv(file, sep=between, encoding=settings.get("encoding") or "utf-8")


def _json_lines(file: Path) -> list[Any] | pd.DataFrame:
    import pandas as pd

    # Not `splitlines`: a string may hold other ends of lines than the file's.
    lines = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line.strip()]
    if lines and all(isinstance(line, dict) for line in lines):
        return pd.DataFrame(lines)
    return lines


def _numbers(file: Path, names: Sequence[str], settings: Mapping[str, Any]) -> Values:
    try:
        if file.suffix == ".npy":
            return np.asarray(np.load(file, allow_pickle=False), dtype=np.float64)
        found = read_table(file, settings)
        if found is None:
            known = ", ".join((".npy", *TABLES))
            raise BadInput(f"{file} is no {known} file and no image; save the rows as one of them")
        lines = isinstance(found, list)
        return np.asarray(found, dtype=np.float64) if lines else _columns(found, names)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{file} cannot be read as rows of numbers: {error}") from error


def _columns(frame: pd.DataFrame, names: Sequence[str]) -> Values:
    if names:
        if missing := [name for name in names if name not in frame]:
            has = ", ".join(map(str, frame))
            raise ValueError(f"column {missing[0]!r} is missing; it has {has}")
        frame = frame[list(names)]
    return np.asarray(frame.to_numpy(dtype=np.float64))


def _images(file: Path, inputs: Inputs) -> FileRows | None:
    """The images that a path names; None where it names none.

    Raises:
        BadInput: the model takes no images, one cannot be decoded, or the folder has none.
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
        raise BadInput(f"{file} holds images, but the model takes a {inputs.kind}'s rows")
    return FileRows(read_images(file, names, inputs), tuple(filter(None, names)))


def read_images(folder: Path, names: Sequence[str], inputs: ImageInputs) -> Values:
    """Some images of a folder, in the model's own range: float64[n, *raw shape].

    Raises:
        BadInput: one cannot be decoded.
    """
    return np.stack([_pixels(folder / name, inputs) for name in names])


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(HIDDEN) for part in path.parts)


def is_image(path: Path) -> bool:
    """Whether a file's name is an image's."""
    return path.suffix.lower() in IMAGES


def _pixels(file: Path, inputs: ImageInputs) -> Values:
    """One image as it would have been prepared, in the model's range, flat where it is grey."""
    from conf.schema.clean import ImageRules
    from data.sources.decode import decode

    found = decode(file, inputs.shape, ImageRules())
    if isinstance(found, str):
        raise BadInput(f"{file} cannot be read as an image: it is {found} or not there")
    low, high = inputs.low, inputs.high
    values = low + found.astype(np.float64) * ((high - low) / 255.0)
    return values if inputs.channels > 1 else values[..., 0]
