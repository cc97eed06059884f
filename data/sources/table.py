"""The source `table`: numbers and words, or texts, in a file with named columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.runtime.allowed_paths import confined
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.data import TableData

if TYPE_CHECKING:  # Arrow is imported only when something is read
    import pyarrow as pa

    from data.sources.categories import Vocabulary
    from data.sources.rows import Rows


class TableSource:
    """A CSV, TSV, Parquet or JSON-lines file."""

    def __init__(self, data: TableData, home: Home) -> None:
        self._data = data
        self._path = confined(data.path, home)
        self.files: Sequence[Path] = [self._path]
        self.pinned = ""
        self.facts = {"place": str(self._path)}

    def read(self, scratch: Path) -> Rows:
        """Read the named columns, batch by batch."""
        import numpy as np

        from data.sources.base import spill
        from data.sources.categories import Vocabulary
        from data.sources.rows import Rows
        from data.sources.tabular_files import Broken, batches

        data, broken = self._data, Broken()
        types = self._types()
        features = [name for name in types if name not in self._others()]
        wordy = [name for name in features if types[name] == "string"]
        words = Vocabulary(wordy, data.words.columns)
        settings = {"separator": data.separator, "encoding": data.encoding}
        parts = batches(self._path, types, broken, **settings)  # type: ignore[arg-type]
        table = spill(
            (_shaped(batch, features, data, words) for batch in parts),
            _schema(features, data),
            scratch,
        )
        read = table.num_rows + broken.count
        table = table.append_column("id", _as_arrow(np.arange(table.num_rows)))
        return Rows(
            "text" if data.text else "table",
            _labelled(table, data),
            shape=(len(features),) if features else (),
            names=tuple(features),
            words=words.words(),
            reports=(broken.report(read, self._path),),
            read=read,
        )

    def _others(self) -> list[str]:
        from data.sources.tabular_files import wanted

        data = self._data
        second = data.second.label if data.second else None
        return wanted([data.label, second, data.text, data.group, data.time, data.part])

    def _types(self) -> dict[str, pa.DataType]:
        """The columns that are read, and as what: first text for what is no feature, then numbers,
        then text for words."""
        import pyarrow as pa

        from data.sources.tabular_files import columns_of

        data = self._data
        found = columns_of(self._path, data.separator, data.encoding)
        named = [*self._others(), *data.features, *data.without, *data.words.columns]
        if absent := [name for name in named if name not in found]:
            raise BadInput(
                f"{self._path} has no column {', '.join(map(repr, absent))}; "
                f"it has {', '.join(map(repr, found))}"
            )
        types: dict[str, pa.DataType] = dict.fromkeys(self._others(), pa.string())
        # A list in JSON lines is read as its JSON.
        if pa.types.is_list(found[data.label]) and self._path.suffix == ".parquet":
            types[data.label] = pa.list_(pa.string())
        if twice := [name for name in data.features if name in types]:
            raise BadInput(f"data.features: {twice[0]!r} is already the label or another column")
        if data.text:
            return types
        others = {name: kind for name, kind in found.items() if name not in types}
        words = [name for name in self._chosen(others) if self._is_words(name, others[name])]
        numbers = [name for name in self._chosen(others) if name not in words]
        if not words and not numbers:
            raise BadInput(
                f"{self._path} has no columns of numbers or words; name them in data.features"
            )
        return types | dict.fromkeys(numbers, pa.float64()) | dict.fromkeys(words, pa.string())

    def _chosen(self, found: Mapping[str, pa.DataType]) -> Iterator[str]:
        """The features: those that are named, else all of numbers or words."""
        import pyarrow as pa

        if self._data.features:
            yield from self._data.features
            return
        for name, kind in found.items():
            number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
            if (number or self._is_words(name, kind)) and name not in self._data.without:
                yield name

    def _is_words(self, name: str, kind: pa.DataType) -> bool:
        from data.sources.categories import holds_words

        return name in self._data.words.columns or holds_words(kind)


def _as_arrow(values: object) -> pa.Array:
    import pyarrow as pa

    return pa.array(values)


def _schema(features: Sequence[str], data: TableData) -> pa.Schema:
    import pyarrow as pa

    fields = {"label": pa.string()}
    if data.text:
        fields["text"] = pa.string()
    else:
        fields["features"] = pa.list_(pa.float32(), len(features))
    for name in ("second", "group", "time", "part"):
        if getattr(data, name):
            fields[name] = pa.string()
    return pa.schema(fields)


def _shaped(
    batch: pa.RecordBatch, features: Sequence[str], data: TableData, words: Vocabulary
) -> pa.RecordBatch:
    """A batch of the file's columns as one of ours."""
    import numpy as np
    import pyarrow as pa

    from data.sources.rows import finite, fixed_list

    schema = _schema(features, data)
    columns = []
    for name in schema.names:
        if name == "features":
            # A null becomes NaN, which is how a table's missing value is written everywhere.
            values = [
                words.numbers(one, batch.column(one))
                if one in words
                else batch.column(one).to_numpy(zero_copy_only=False)
                for one in features
            ]
            columns.append(fixed_list(finite(np.stack(values, axis=1))))
        elif name == "label" and pa.types.is_list(batch.column(data.label).type):
            lists = batch.column(data.label).to_pylist()
            columns.append(pa.array([json.dumps(each or []) for each in lists], type=pa.string()))
        elif name == "second" and data.second:
            columns.append(batch.column(data.second.label))
        else:
            columns.append(batch.column(getattr(data, name)))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _labelled(table: pa.Table, data: TableData) -> pa.Table:
    """The table with its answers as names of classes, or numbers, and its times as numbers."""
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
        times = seconds(table.column("time").to_pylist(), data.time)
        table = table.set_column(place, "time", pa.array(times))
    return table


def _labels(given: Sequence[Any], data: TableData) -> pa.Array:
    """Names of classes, numbers, or of several labels a row a JSON list of their names."""
    import pyarrow as pa

    from data.sources.labels import class_labels, numbers, several

    if data.task == "regression":
        return pa.array(numbers(given, data.label), type=pa.float64())
    if data.task == "multilabel":
        found = (several(value, data.label_separator, data.label) for value in given)
        return pa.array([json.dumps(names) for names in found], type=pa.string())
    return pa.array(class_labels(given, data.bands, data.label), type=pa.string())
