"""The source `table`: numbers, categories, dates, or texts, in a file with named columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.runtime.allowed_paths import confined
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.data import TableData

if TYPE_CHECKING:  # Arrow is imported only when something is read
    import pyarrow as pa

    from data.encoding.table_encoder import ColumnSpec
    from data.sources.categories import CategoryCodes
    from data.sources.rows import Rows

ENCODED = {"number": "number", "datetime": "datetime", "time": "time", "duration": "duration"}
"""Kinds of columns that are read as numbers; text and booleans are categories."""
CATEGORIES = ("text", "boolean")
LEFT_OUT = {
    "list": "holds lists",
    "other": "holds binary data or another type that no model reads",
    "empty": "is empty in every row",
}


class TableSource:
    """A table file of any container that `data.sources.table_file` reads."""

    def __init__(self, data: TableData, home: Home) -> None:
        from data.sources.table_file import TableFile, TableFormat

        self._data = data
        path = confined(data.path, home)
        self._file = TableFile(path, TableFormat.of(data.model_dump(mode="json")))
        self.files: Sequence[Path] = [path]
        self.pinned = ""
        self.facts = {"place": str(path)}

    def read(self, scratch: Path) -> Rows:
        """Read the named columns, batch by batch."""
        import numpy as np
        import pyarrow as pa

        from data.sources.base import spill
        from data.sources.categories import CategoryCodes
        from data.sources.rows import Rows

        data, file = self._data, self._file
        specs, left_out = ([], {}) if data.text else self._features()
        self._check_roles()
        categories = [spec["name"] for spec in specs if spec["kind"] == "category"]
        codes = CategoryCodes(categories, data.words.columns)
        parts = (_shaped(batch, specs, data, codes) for batch in file.batches())
        table = spill(parts, _schema(specs, data), scratch)
        read = table.num_rows + file.broken.count
        table = table.append_column("id", pa.array(np.arange(table.num_rows)))
        return Rows(
            "text" if data.text else "table",
            _labelled(table, data),
            shape=(len(specs),) if specs else (),
            names=tuple(spec["name"] for spec in specs),
            specs=tuple(specs),
            categories=codes.categories(),
            left_out=left_out,
            reports=(file.broken.report(read, file.path),),
            read=read,
        )

    def _roles(self) -> list[str]:
        """Columns that are no features: label, text, group, time, split."""
        data = self._data
        second = data.second.label if data.second else None
        roles = (data.label, second, data.text, data.group, data.time, data.part)
        return list(dict.fromkeys(name for name in roles if name is not None))

    def _check_roles(self) -> None:
        data, found = self._data, self._file.kinds
        named = [*self._roles(), *data.features, *data.without, *data.words.columns]
        if absent := [name for name in named if name not in found]:
            raise BadInput(
                f"{self._file.path} has no column {', '.join(map(repr, absent))}; "
                f"it has {', '.join(map(repr, found))}"
            )
        if twice := [name for name in data.features if name in self._roles()]:
            raise BadInput(f"data.features: {twice[0]!r} is already the label or another column")

    def _features(self) -> tuple[list[ColumnSpec], dict[str, str]]:
        """How each feature is encoded, categories last, and why other columns are left out."""
        data = self._data
        self._check_roles()
        left_out = dict.fromkeys(data.without, "data.without names it")
        specs = []
        for name, kind in self._file.kinds.items():
            if name in self._roles() or name in left_out:
                continue
            if data.features and name not in data.features:
                left_out[name] = "data.features does not name it"
            elif kind in LEFT_OUT and name not in data.features:
                left_out[name] = LEFT_OUT[kind]
            elif kind in LEFT_OUT:
                raise BadInput(f"data.features: the column {name!r} {LEFT_OUT[kind]}")
            else:
                specs.append(self._spec(name, kind))
        if not specs:
            raise BadInput(
                f"{self._file.path} has no columns of numbers, categories or dates; name them in "
                "data.features"
            )
        return sorted(specs, key=lambda spec: spec["kind"] == "category"), left_out

    def _spec(self, name: str, kind: str) -> ColumnSpec:
        if kind in CATEGORIES or name in self._data.words.columns:
            return {"name": name, "kind": "category"}
        layout = self._file.layout
        if kind == "number":
            return {"name": name, "kind": kind, **layout.numbers}
        written = {"format": layout.dates} if kind == "datetime" and layout.dates else {}
        return {"name": name, "kind": kind, **written}


def _schema(specs: Sequence[ColumnSpec], data: TableData) -> pa.Schema:
    import pyarrow as pa

    fields = {"label": pa.string(), "row": pa.string()}
    if data.text:
        fields["text"] = pa.string()
    else:
        fields["features"] = pa.list_(pa.float64(), len(specs))
    for name in ("second", "group", "time", "part"):
        if getattr(data, name):
            fields[name] = pa.string()
    return pa.schema(fields)


def _shaped(
    batch: pa.RecordBatch, specs: Sequence[ColumnSpec], data: TableData, codes: CategoryCodes
) -> pa.RecordBatch:
    """A batch of the file's columns as one of ours."""
    import pyarrow as pa

    from data.sources.column_values import as_texts

    texts = {name: as_texts(batch.column(name)) for name in batch.schema.names}
    columns = []
    for name in _schema(specs, data).names:
        if name == "features":
            columns.append(_features(batch, texts, specs, codes))
        elif name == "row":
            columns.append(row_hashes(texts))
        elif name == "second" and data.second:
            columns.append(texts[data.second.label])
        else:
            columns.append(texts[getattr(data, name)])
    return pa.RecordBatch.from_arrays(columns, schema=_schema(specs, data))


def _features(
    batch: pa.RecordBatch,
    texts: Mapping[str, pa.Array],
    specs: Sequence[ColumnSpec],
    codes: CategoryCodes,
) -> pa.Array:
    """One list a row: numbers as `table_encoder.parse` has them, categories by number."""
    import numpy as np

    from data.sources.column_values import as_floats
    from data.sources.rows import finite, fixed_list

    values = [
        codes.numbers(spec["name"], texts[spec["name"]])
        if spec["kind"] == "category"
        else as_floats(batch.column(spec["name"]), spec)
        for spec in specs
    ]
    return fixed_list(finite(np.stack(values, axis=1)))


def row_hashes(texts: Mapping[str, pa.Array]) -> pa.Array:
    """A hash of everything that a row holds, columns that are not read included.

    Rows are duplicates when these are equal; columns count in the order of their names.
    """
    import pyarrow as pa

    columns = [texts[name].to_pylist() for name in sorted(texts)]
    rows = zip(*columns, strict=True)
    return pa.array(
        [hashlib.blake2b(json.dumps(row).encode(), digest_size=16).hexdigest() for row in rows],
        pa.string(),
    )


def _labelled(table: pa.Table, data: TableData) -> pa.Table:
    """The table with its targets as names of classes, or numbers, and its times as numbers."""
    import pyarrow as pa

    from data.sources.labels import second_column, seconds

    place = table.column_names.index("label")
    table = table.set_column(place, "label", _labels(table.column("label").to_pylist(), data))
    if data.second:
        place = table.column_names.index("second")
        given = second_column(table.column("second").to_pylist(), data.second)
        table = table.set_column(place, "second", given)
    if data.time:
        place = table.column_names.index("time")
        times = seconds(table.column("time").to_pylist(), data.time, data.dates)
        table = table.set_column(place, "time", pa.array(times))
    return table


def _labels(given: Sequence[Any], data: TableData) -> pa.Array:
    """Names of classes, numbers, or of several labels a row a JSON list of their names."""
    import pyarrow as pa

    from data.sources.labels import class_labels, numbers, several

    if data.task == "regression":
        written = data.numbers.model_dump(mode="json")
        return pa.array(numbers(given, data.label, written=written), type=pa.float64())
    if data.task == "multilabel":
        found = (several(value, data.label_separator) for value in given)
        return pa.array([json.dumps(names) for names in found], type=pa.string())
    return pa.array(class_labels(given, data.bands, data.label), type=pa.string())
