"""Incoming rows: those of a file, or of the new files of a folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput, Held
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home
from data.card import ImageInputs, parse_inputs
from tasks.packaging.package import package_metadata
from tasks.packaging.table_frame import select_rows
from tasks.scoring.predict import rows_of
from tasks.scoring.read_files import is_image, read_images
from tasks.scoring.score_files import column_of, target_name

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

    from tasks.packaging.table_frame import RawValues

Stamps = Mapping[str, Sequence[int]]
"""File, relative to its folder, to its size and time of change."""

UNFINISHED = (".tmp", ".part", ".crdownload")


@dataclass(frozen=True)
class IncomingRows:
    """New rows as the registered model takes them, and their targets where they are known."""

    values: RawValues | list[str]
    targets: tuple[object, ...]
    """Class name, number or text of each row; None where it is not known."""

    def __len__(self) -> int:
        return len(self.targets)

    def select(self, mask: NDArray[np.bool_]) -> IncomingRows:
        """The rows where the mask, of shape (rows,), is true."""
        values = self.values
        selected = (
            list(compress(values, mask))
            if isinstance(values, list)
            else select_rows(values, np.flatnonzero(mask))
        )
        return IncomingRows(selected, tuple(compress(self.targets, mask)))


class Seen:
    """Files of a place that earlier runs have read; one run at a time holds it."""

    def __init__(self, home: Home, model: str, place: Path) -> None:
        digest = hashlib.sha256(str(place.resolve()).encode()).hexdigest()[:12]
        self._path = folder_of(home, model) / f"seen-{digest}.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the place against a second run.

        Raises:
            Held: another process monitors it.
        """
        lock = FileLock.try_acquire(self._path.with_suffix(".lock"))
        if lock is None:
            raise Held("another process monitors the same rows; wait for it to end")
        with lock:
            yield

    def stamps(self) -> Stamps:
        """The files that were read."""
        try:
            stamps: Stamps = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{self._path} cannot be read ({error}); remove it, and every file counts as new"
            ) from error
        return stamps

    def add(self, stamps: Stamps) -> None:
        """Add files that were read."""
        write_atomically(self._path, json.dumps({**self.stamps(), **stamps}))


def folder_of(home: Home, model: str) -> Path:
    """Folder of the drift reports of a model."""
    return home.path / "monitor" / model


def arrived(place: Path, seen: Stamps) -> Stamps:
    """The files that are new or changed; a place that is a file is always new.

    Hidden files and unfinished downloads (by their suffix) are skipped.

    Raises:
        BadInput: there is no such place, or the folder has no files.
    """
    if not place.exists():
        raise BadInput(f"there is no {place}; give a file of rows, or a folder that receives them")
    if place.is_file():
        return {"": _stamp(place)}
    stamps = {
        str(path.relative_to(place)): _stamp(path)
        for path in sorted(place.rglob("*"))
        if path.is_file() and not _skipped(path.relative_to(place))
    }
    if not stamps:
        raise BadInput(f"the folder {place} is empty; put files of rows, or images, into it")
    return {name: stamp for name, stamp in stamps.items() if list(seen.get(name, ())) != stamp}


def _skipped(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts) or path.suffix in UNFINISHED


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def read_rows(model: PyFuncModel, place: Path, names: Sequence[str]) -> IncomingRows:
    """The rows of some files of a place.

    Args:
        model: the champion; its metadata describe its inputs and its classes.
        place: a folder, or a file with the one name "".
        names: files, relative to the place.

    Raises:
        BadInput: a file cannot be read, or has other rows; the message names the file.
    """
    facts = package_metadata(model)
    images = [name for name in names if is_image(place / name)]
    batches: list[tuple[RawValues | list[str], Sequence[object]]] = []
    inputs = parse_inputs(facts["inputs"])
    if images and isinstance(inputs, ImageInputs):
        pixels = read_images(place, images, inputs)
        batches.append((pixels, _folders(images, facts["labels"], place)))
        names = [name for name in names if name not in set(images)]
    for name in names:
        file = place / name if name else place
        values, _ = rows_of(model, file)
        batches.append((values, _targets(file, len(values), facts)))
    return IncomingRows(
        _concatenated([values for values, _ in batches]),
        tuple(target for _, targets in batches for target in targets),
    )


def _concatenated(batches: Sequence[RawValues | list[str]]) -> RawValues | list[str]:
    """Arrays as one array, frames as one frame, lists of texts as one list."""
    texts = [batch for batch in batches if isinstance(batch, list)]
    if texts:
        return [text for batch in texts for text in batch]
    arrays = [batch for batch in batches if isinstance(batch, np.ndarray)]
    if arrays:
        return np.concatenate(arrays)
    import pandas as pd

    frames = [batch for batch in batches if isinstance(batch, pd.DataFrame)]
    return pd.concat(frames, ignore_index=True)


def _folders(names: Sequence[str], labels: Sequence[object], place: Path) -> list[str | None]:
    """First folder of each image, if these folders are the model's classes."""
    first = [Path(name).parts[0] if len(Path(name).parts) > 1 else None for name in names]
    known = {str(label) for label in labels}
    if not known & set(first):
        return [None] * len(first)
    if unknown := sorted({name for name in first if name is not None} - known):
        raise BadInput(
            f"{place / unknown[0]}: the folder is none of the model's classes "
            f"({', '.join(map(str, labels))}), though others are; rename it"
        )
    return list(first)


def _targets(file: Path, rows: int, facts: Mapping[str, Any]) -> Sequence[object]:
    data = facts["config"]["data"]
    targets = column_of(file, target_name(facts), data)
    if targets is None:
        return [None] * rows
    missing = "" if data.get("task") == "multilabel" else None  # an empty cell: no label applies
    markers = frozenset(data.get("missing") or ())
    return [missing if _is_missing(target, markers) else target for target in targets]


def _is_missing(target: object, markers: frozenset[str]) -> bool:
    if isinstance(target, str):
        return not target or target in markers
    return target is None or (isinstance(target, float) and math.isnan(target))
