"""New rows: those of a file, or of the files of a folder that no look has seen."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conf.runtime.errors import BadInput, Held
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home, write_atomically
from data.card import ImageInputs, parse_inputs
from tasks.scoring.predict import rows_of
from tasks.scoring.read_files import is_image, read_images
from tasks.scoring.score_files import column_of, target_name

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

Stamps = Mapping[str, Sequence[int]]
"""File, relative to its folder, to its size and time of change."""

UNFINISHED = (".tmp", ".part", ".crdownload")


@dataclass(frozen=True)
class IncomingRows:
    """New rows as the registered model takes them, and their targets where they are known."""

    values: Any
    targets: tuple[Any, ...]
    """Name of a class, number or text of each row; None where it is not known."""

    def __len__(self) -> int:
        return len(self.targets)


class Seen:
    """Which files of a place earlier looks have seen; held by one look at a time."""

    def __init__(self, home: Home, model: str, place: Path) -> None:
        digest = hashlib.sha256(str(place.resolve()).encode()).hexdigest()[:12]
        self._path = folder_of(home, model) / f"seen-{digest}.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep a second look at the same place away.

        Raises:
            Held: one is under way.
        """
        lock = FileLock.try_acquire(self._path.with_suffix(".lock"))
        if lock is None:
            raise Held("another look at the same rows is under way; wait for its end")
        with lock:
            yield

    def stamps(self) -> Stamps:
        """What was seen."""
        try:
            found: Stamps = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{self._path} cannot be read ({error}); remove it, and every file counts as new"
            ) from error
        return found

    def add(self, stamps: Stamps) -> None:
        """Count these as seen from now on."""
        write_atomically(self._path, json.dumps({**self.stamps(), **stamps}))


def folder_of(home: Home, model: str) -> Path:
    """Where the looks at a model's rows are kept."""
    return home.path / "monitor" / model


def arrived(place: Path, seen: Stamps) -> Stamps:
    """The files that are new or changed; a file is a place with one file, always new.

    Hidden files and those with an ending of unfinished downloads are passed over.

    Raises:
        BadInput: there is no such place, or the folder has no files.
    """
    if not place.exists():
        raise BadInput(f"there is no {place}; give a file of rows, or a folder that gets them")
    if place.is_file():
        return {"": _stamp(place)}
    found = {
        str(path.relative_to(place)): _stamp(path)
        for path in sorted(place.rglob("*"))
        if path.is_file() and not _passed_over(path.relative_to(place))
    }
    if not found:
        raise BadInput(f"the folder {place} is empty; put files of rows, or images, into it")
    return {name: stamp for name, stamp in found.items() if list(seen.get(name, ())) != stamp}


def _passed_over(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts) or path.suffix in UNFINISHED


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def read_rows(model: PyFuncModel, place: Path, names: Sequence[str]) -> IncomingRows:
    """The rows of some files of a place.

    Args:
        model: the champion, which says what its rows look like and which classes it knows.
        place: a folder, or a file with the one name "".
        names: files, relative to the place.

    Raises:
        BadInput: a file cannot be read, or has other rows; the sentence names it.
    """
    facts = model.metadata.metadata
    images = [name for name in names if is_image(place / name)]
    parts: list[tuple[Any, Sequence[Any]]] = []
    inputs = parse_inputs(facts["inputs"])
    if images and isinstance(inputs, ImageInputs):
        pixels = read_images(place, images, inputs)
        parts.append((pixels, _folders(images, facts["labels"], place)))
        names = [name for name in names if name not in set(images)]
    for name in names:
        file = place / name if name else place
        values, _ = rows_of(model, file)
        parts.append((values, _targets(file, len(values), facts)))
    return IncomingRows(
        _joined([values for values, _ in parts]),
        tuple(target for _, targets in parts for target in targets),
    )


def _joined(parts: Sequence[Any]) -> Any:
    """Arrays as one array, frames as one frame, lists of texts as one list."""
    if hasattr(parts[0], "iloc"):
        import pandas as pd

        return pd.concat(parts, ignore_index=True)
    if isinstance(parts[0], list):
        return [text for part in parts for text in part]
    return np.concatenate(parts)


def _folders(names: Sequence[str], labels: Sequence[Any], place: Path) -> list[str | None]:
    """Of images the first folder of each, where these are the model's classes."""
    first = [Path(name).parts[0] if len(Path(name).parts) > 1 else None for name in names]
    known = {str(label) for label in labels}
    if not known & set(first):
        return [None] * len(first)
    if strange := sorted({name for name in first if name is not None} - known):
        raise BadInput(
            f"{place / strange[0]}: the folder is none of the model's classes "
            f"({', '.join(map(str, labels))}), though others are; rename it"
        )
    return list(first)


def _targets(file: Path, rows: int, facts: Mapping[str, Any]) -> Sequence[Any]:
    data = facts["config"]["data"]
    found = column_of(file, target_name(facts), data)
    if found is None:
        return [None] * rows
    gap = "" if data.get("task") == "multilabel" else None  # where none of the labels applies
    return [gap if _is_gap(target) else target for target in found]


def _is_gap(target: Any) -> bool:
    return target is None or (isinstance(target, float) and math.isnan(target))
