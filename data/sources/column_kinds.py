"""The kind of a table's column, decided over the whole file and alike for every container.

Containers that type their values (Parquet, JSON, spreadsheets) are believed. In containers of text
alone (CSV, TSV) a column is of a kind when all its values are written that way; a number with a
leading zero (`007`) is a name, and so are `NA`, `nan` and `inf` unless `data.missing` lists them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from conf.runtime.errors import BadInput
from data.encoding.table_encoder import ColumnSpec, number_pattern

Kind = Literal[
    "number", "boolean", "datetime", "time", "duration", "text", "list", "empty", "other"
]

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
WRITTEN: Mapping[Kind, str] = {
    "boolean": r"true|false|True|False|TRUE|FALSE",
    "number": number_pattern({}),
    "datetime": rf"{_DATE}([T ]{_CLOCK}(Z|[-+][0-9]{{2}}:?[0-9]{{2}})?)?",
    "time": r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?",
    "duration": rf"(-?[0-9]+ days?,? ){_CLOCK}",
}
"""How a value of each kind is written in a container of text, as a regular expression (RE2)."""
AS_TEXT: tuple[Kind, ...] = ("datetime", "time", "duration")
"""Kinds that JSON and many Parquet files can only write as text."""


@dataclass
class ColumnKinds:
    """The kind of each column, as batches are looked at one after another."""

    typed: bool
    """Whether the container types its values; else all are text."""
    numbers: ColumnSpec = field(default_factory=dict)
    """The declared format of numbers: `decimal`, `thousands`, `units`."""
    dates: str | None = None
    """The declared format of dates, of `strptime`."""
    _candidates: dict[str, set[Kind]] = field(default_factory=dict)
    _native: dict[str, set[Kind]] = field(default_factory=dict)

    def look(self, batch: pa.RecordBatch) -> None:
        """Take the values of a batch into account."""
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            kind = native_kind(column.type)
            self._native.setdefault(name, set())
            if kind == "empty" or column.null_count == len(column):
                continue
            self._native[name].add(kind)
            if kind == "text":
                self._look_at_text(name, column)

    def _look_at_text(self, name: str, column: pa.Array) -> None:
        left = self._candidates.setdefault(name, set(self._written))
        if not left:
            return
        values = column.unique().cast(pa.string()).drop_null()
        for kind in list(left):
            if not self._are(kind, values):
                left.discard(kind)

    @property
    def _written(self) -> tuple[Kind, ...]:
        """The kinds that text can be of in this file."""
        declared: tuple[Kind, ...] = ("number",) if self.numbers else ()
        return (*AS_TEXT, *declared) if self.typed else tuple(WRITTEN)

    def _are(self, kind: Kind, values: pa.Array) -> bool:
        if kind == "datetime" and self.dates is not None:
            return all(_is_date(value, self.dates) for value in values.to_pylist())
        pattern = number_pattern(self.numbers) if kind == "number" else WRITTEN[kind]
        return bool(pc.all(pc.match_substring_regex(values, f"^({pattern})$")).as_py())

    def kinds(self) -> dict[str, Kind]:
        """Every column's kind so far; text where values are of several kinds."""
        return {name: self._kind(name, native) for name, native in self._native.items()}

    def _kind(self, name: str, native: set[Kind]) -> Kind:
        if not native:
            return "empty"
        if len(native) > 1:
            return "text"
        (kind,) = native
        if kind != "text":
            return kind
        left = self._candidates.get(name, set())
        return next((each for each in WRITTEN if each in left), "text")


def _is_date(value: str, written: str) -> bool:
    try:
        datetime.strptime(value.strip(), written)
    except ValueError:
        return False
    return True


def native_kind(kind: pa.DataType) -> Kind:
    """The kind of an Arrow type."""
    types = pa.types
    if types.is_dictionary(kind):
        return native_kind(kind.value_type)
    if types.is_null(kind):
        return "empty"
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_date(kind) or types.is_timestamp(kind):
        return "datetime"
    if types.is_time(kind):
        return "time"
    if types.is_duration(kind):
        return "duration"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "list"
    return "other"


DEPTH = 4
"""Levels of nested objects that are flattened."""


def flattened(record: Mapping[str, Any], place: str) -> dict[str, Any]:
    """An object with its nested objects as columns `outer.inner`; deeper ones than `DEPTH` as JSON.

    Raises:
        BadInput: two of its keys come to the same name.
    """
    flat: dict[str, Any] = {}
    for name, value in _leaves(record, "", DEPTH):
        if name in flat:
            raise BadInput(
                f"{place}: two values come to the column {name!r}; rename one of the keys"
            )
        flat[name] = value
    return flat


def _leaves(record: Mapping[str, Any], prefix: str, depth: int) -> Iterable[tuple[str, Any]]:
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and depth > 1:
            yield from _leaves(value, f"{name}.", depth - 1)
        elif isinstance(value, Mapping):
            yield name, json.dumps(value, ensure_ascii=False) if value else None
        else:
            yield name, value
