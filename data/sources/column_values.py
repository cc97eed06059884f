"""A column's values as float64 numbers or as written text, alike for every container."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.runtime.errors import BadInput
from conf.runtime.types import Floats
from data.encoding.table_encoder import ColumnSpec, parse, text_of


def as_floats(column: pa.Array, spec: ColumnSpec) -> Floats:
    """Numbers, seconds since 1970, shares of a day or seconds, by the kind of the column.

    Args:
        column: values as the container has them.
        spec: of the column.

    Returns:
        float64 of shape (rows,), NaN where a value is missing.

    Raises:
        BadInput: a value is not of the column's kind; the sentence names it.
    """
    kind = column.type
    if spec["kind"] == "number" and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
    if spec["kind"] == "datetime" and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        stamps = column.cast(pa.timestamp("us", getattr(kind, "tz", None))).cast(pa.int64())
        return np.asarray(stamps.to_numpy(zero_copy_only=False), np.float64) / 1e6
    try:
        return np.asarray(_mapped(column, lambda value: parse(value, spec), np.nan), np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"data: the column {spec['name']!r} holds a value that is no {spec['kind']} ({error}); "
            "mend it, or list it in data.missing if it means a missing value"
        ) from error


def as_texts(column: pa.Array) -> pa.Array:
    """The written form of each value as an Arrow string; null where it is missing."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts = column.cast(pa.string())
        return pc.if_else(pc.equal(texts, ""), None, texts)
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        return pa.array([text_of(value) for value in column.to_pylist()], pa.string())
    return pa.array(_mapped(column, text_of, None), pa.string())


def _mapped(column: pa.Array, convert: Callable[[Any], Any], missing: Any) -> list[Any]:
    """Each distinct value converted once."""
    coded = column.dictionary_encode()
    values = [convert(value) for value in coded.dictionary.to_pylist()]
    return [missing if place is None else values[place] for place in coded.indices.to_pylist()]
