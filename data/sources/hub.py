"""The source `hub`: a Hugging Face data set at a commit, or one saved on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.runtime.allowed_paths import confined
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.clean import ImageRules
from conf.schema.data import AuxiliaryTarget, HubData

if TYPE_CHECKING:  # Arrow is imported only when something is read
    import pyarrow as pa

    from conf.runtime.types import Floats
    from data.sources.decode import Entry
    from data.sources.rows import Rows


HUB = "hub"
"""Folder among the assets of what the library fetches."""


class HubSource:
    """A data set of the `datasets` library."""

    def __init__(self, data: HubData, rules: ImageRules, home: Home) -> None:
        self._data = data
        self._rules = rules
        self._cache = home.assets / HUB
        self._folder = confined(data.path, home, folder=True) if data.path else None
        inside = sorted(self._folder.rglob("*")) if self._folder else []
        self.files: Sequence[Path] = [path for path in inside if path.is_file()]
        self.pinned = "" if self._folder else f"{data.name}@{data.revision}"
        self.facts = {"place": str(self._folder or f"Hugging Face, {self.pinned}")}

    def read(self, scratch: Path) -> Rows:
        """Read the named columns."""
        found = self._open()
        labels = self._labels(found)
        if self._data.image:
            from data.sources.decode import PixelScale, image_rows

            shape = (self._data.height, self._data.width, self._data.channels)
            scale, entries = PixelScale.of(self._data), self._entries(found, labels)
            return image_rows(entries, shape, self._rules, scratch, scale=scale)
        return self._plain(found, labels)

    def _open(self) -> Any:
        import datasets

        data = self._data
        try:
            if self._folder is None:
                found = datasets.load_dataset(
                    data.name, revision=data.revision, split=data.split, cache_dir=str(self._cache)
                )
            else:
                found = datasets.load_from_disk(str(self._folder))
        except Exception as error:  # the library raises many kinds, also its own
            raise BadInput(
                f"data: {self.facts['place']} cannot be opened "
                f"({type(error).__name__}: {str(error).splitlines()[0][:200]}); check the name, "
                "the revision and the network, or give the path of a saved copy"
            ) from error
        if isinstance(found, datasets.DatasetDict):
            if data.split not in found:
                raise BadInput(f"data.split: {data.split} is not among {', '.join(found)}")
            found = found[data.split]
        others = [data.label, data.second and data.second.label, data.group]
        named = [*others, data.text, data.image, *data.features, *data.without]
        absent = [name for name in named if name and name not in found.column_names]
        if absent:
            raise BadInput(
                f"data: {self.facts['place']} has no column {', '.join(map(repr, absent))}; "
                f"it has {', '.join(found.column_names)}"
            )
        return found

    def _labels(self, found: Any) -> list[str | None]:
        from data.sources.labels import class_labels, several

        data, given = self._data, list(found[self._data.label])
        feature = found.features[data.label]
        if data.task == "multilabel":
            inner = getattr(feature, "feature", None)
            if inner is not None and _is_class(inner):  # a list of classes, as their numbers
                given = [[inner.int2str(number) for number in row or ()] for row in given]
            each = (several(one, data.label_separator) for one in given)
            return [json.dumps(names) for names in each]
        if _is_class(feature):
            return _said(found, data.label)
        return class_labels(given, (), data.label)

    def _second(self, found: Any, second: AuxiliaryTarget) -> pa.Array:
        from data.sources.labels import second_column

        is_class = _is_class(found.features[second.label])
        given = _said(found, second.label) if is_class else list(found[second.label])
        return second_column(given, second)

    def _groups(self, found: Any) -> list[str | None] | None:
        if self._data.group is None:
            return None
        return [None if value is None else str(value) for value in found[self._data.group]]

    def _entries(self, found: Any, labels: list[str | None]) -> Iterator[Entry]:
        import datasets

        from data.sources.decode import Entry

        groups = self._groups(found) or [None] * len(labels)
        images = found.cast_column(self._data.image, datasets.Image(decode=False))
        for number, row in enumerate(images.select_columns([self._data.image])):
            image = row[self._data.image] or {}
            content = image.get("bytes") or b""
            if not content and self._folder is None and image.get("path"):
                content = Path(image["path"])  # what the library has fetched
            yield Entry(f"row {number}", content, labels[number], groups[number])

    def _plain(self, found: Any, labels: list[str | None]) -> Rows:
        import numpy as np
        import pyarrow as pa

        from data.sources.rows import Rows

        columns: dict[str, pa.Array] = {
            "id": pa.array(np.arange(len(labels))),
            "label": pa.array(labels, type=pa.string()),
        }
        if self._data.second:
            columns["second"] = self._second(found, self._data.second)
        if (groups := self._groups(found)) is not None:
            columns["group"] = pa.array(groups, type=pa.string())
        if self._data.text:
            columns["text"] = pa.array(self._texts(found), type=pa.string())
            return Rows("text", pa.table(columns))
        return self._table(found, columns)

    def _table(self, found: Any, columns: dict[str, pa.Array]) -> Rows:
        import numpy as np
        import pyarrow as pa

        from data.sources.categories import CategoryCodes
        from data.sources.rows import Rows, finite, fixed_list

        second = self._data.second and self._data.second.label
        names = self._data.features or [
            name
            for name, feature in found.features.items()
            if name not in {self._data.label, second, self._data.group, *self._data.without}
            and (_is_number(feature) or self._is_categorical(name, feature))
        ]
        if not names:
            raise BadInput(f"data: {self.facts['place']} has no columns of numbers or categories")
        categorical = [name for name in names if self._is_categorical(name, found.features[name])]
        names = [*(name for name in names if name not in categorical), *categorical]
        codes = CategoryCodes(categorical, self._data.words.columns)
        values = [
            codes.numbers(name, pa.array(_said(found, name), type=pa.string()))
            if name in codes
            else self._values(found, name)
            for name in names
        ]
        columns["features"] = fixed_list(finite(np.stack(values, axis=1)))
        return Rows(
            "table",
            pa.table(columns),
            shape=(len(names),),
            names=tuple(names),
            categories=codes.categories(),
            specs=tuple(
                {"name": name, "kind": "category" if name in codes else "number"} for name in names
            ),
        )

    def _is_categorical(self, name: str, feature: Any) -> bool:
        named = name in self._data.words.columns or _is_class(feature)
        return named or str(getattr(feature, "dtype", "")) in ("string", "large_string", "bool")

    def _texts(self, found: Any) -> list[str | None]:
        values = list(found[self._data.text])
        if wrong := [value for value in values if not isinstance(value, str | None)]:
            raise BadInput(f"data.text: column {self._data.text!r} holds {wrong[0]!r}, no text")
        return values

    def _values(self, found: Any, name: str) -> Floats:
        import numpy as np

        try:
            return np.array(list(found[name]), dtype=np.float64)  # None becomes NaN
        except (TypeError, ValueError) as error:
            raise BadInput(f"data.features: column {name!r} holds no numbers ({error})") from error


def _is_number(feature: Any) -> bool:
    return str(getattr(feature, "dtype", "")).startswith(("int", "uint", "float"))


def _is_class(feature: Any) -> bool:
    import datasets

    return isinstance(feature, datasets.ClassLabel)


def _said(found: Any, name: str) -> list[str | None]:
    """A column as words; of classes their names."""
    from data.encoding.table_encoder import text_of

    feature = found.features[name]
    if _is_class(feature):
        # -1 is how the library marks rows of a hidden test split.
        return [None if v is None or v < 0 else feature.int2str(v) for v in found[name]]
    return [text_of(value) for value in found[name]]
