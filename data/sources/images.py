"""The source `images`: a folder a class, or a table of paths and labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conf.runtime.allowed_paths import confined
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.clean import ImageRules
from conf.schema.data import ImagesData

if TYPE_CHECKING:  # Arrow is imported only when something is read
    from data.sources.decode import Entry
    from data.sources.rows import Rows
    from data.sources.table_file import TableFile

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
HIDDEN = (".", "__MACOSX")
"""How folders and files begin that programs leave beside people's."""


class ImagesSource:
    """A folder of images."""

    def __init__(self, data: ImagesData, rules: ImageRules, home: Home) -> None:
        self._data = data
        self._rules = rules
        self._folder = confined(data.path, home, folder=True)
        names = sorted(image_names(str(self._folder)))
        self._images = [self._folder / name for name in names]
        self._known = set(self._images)
        self.files: Sequence[Path] = [*self._images, *self._table()]
        # The class of an image is the name of its folder, so names count besides bytes.
        self.pinned = "\n".join(names)
        self.facts = {"place": str(self._folder)}

    def _table(self) -> list[Path]:
        if self._data.table is None:
            return []
        path = (self._folder / self._data.table).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            raise BadInput(f"data.table: there is no file {self._data.table} in {self._folder}")
        return [path]

    def read(self, scratch: Path) -> Rows:
        """Decode every image."""
        from data.sources.decode import PixelScale, image_rows
        from data.sources.table_file import TableFile

        shape = (self._data.height, self._data.width, self._data.channels)
        scale = PixelScale.of(self._data)
        if not self._data.table:
            return image_rows(self._foldered(), shape, self._rules, scratch, scale=scale)
        file = TableFile(self._table()[0])
        rows = image_rows(self._listed(file), shape, self._rules, scratch, scale=scale)
        read = (rows.read or 0) + file.broken.count
        report = file.broken.report(read, file.path)
        return replace(rows, read=read, reports=(report, *rows.reports))

    def _foldered(self) -> Iterator[Entry]:
        from data.sources.decode import Entry

        for path in self._images:
            inner = path.relative_to(self._folder)
            # Beside the folders an image has no class; it is removed and counted.
            yield Entry(str(inner), path, inner.parts[0] if len(inner.parts) > 1 else None)

    def _listed(self, file: TableFile) -> Iterator[Entry]:
        from data.sources.column_values import as_texts
        from data.sources.decode import Entry
        from data.sources.labels import class_labels

        data = self._data
        names = [name for name in (data.image, data.label, data.group) if name is not None]
        for batch in file.batches(list(dict.fromkeys(names))):
            texts = {name: as_texts(batch.column(name)).to_pylist() for name in batch.schema.names}
            labels = class_labels(texts[data.label], data.bands, data.label)
            groups = texts[data.group] if data.group else [None] * len(labels)
            paths = texts[data.image]
            for given, label, group in zip(paths, labels, groups, strict=True):
                yield Entry(str(given), self._inside(given), label, group)

    def _inside(self, given: str | None) -> Path:
        """The file that the table names. One that is not there is unreadable, and counted.

        So is a link or what is no image by its name: its bytes are no part of the data key.
        """
        path = (self._folder / (given or "")).resolve()
        if not path.is_relative_to(self._folder):
            raise BadInput(
                f"{self._data.table}: the path {given} leads out of {self._folder}; "
                "paths are relative to the folder"
            )
        return path if path in self._known else self._folder / "absent"


def image_names(folder: str, inner: str = "") -> Iterator[str]:
    """Names of the images in a folder and those below it; neither links nor hidden folders are
    followed."""
    with os.scandir(os.path.join(folder, inner)) as entries:  # noqa: PTH118  # fast for millions
        for entry in entries:
            if entry.name.startswith(HIDDEN):
                continue
            name = f"{inner}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from image_names(folder, f"{name}/")
            elif entry.is_file(follow_symlinks=False) and name.lower().endswith(SUFFIXES):
                yield name
