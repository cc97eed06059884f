"""Cells of a label, target or time column as class names, numbers or seconds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from conf.runtime.errors import BadInput
from conf.schema.data import AuxiliaryTarget, Band
from data.encoding.table_encoder import ColumnSpec, parse, text_of

if TYPE_CHECKING:  # Arrow is imported only by a read
    import pyarrow as pa


def class_labels(values: Sequence[Any], bands: Sequence[Band], column: str) -> list[str | None]:
    """Each value's class in its written form; None where it is missing or in no band.

    Raises:
        BadInput: bands make classes of numbers, and a value is none.
    """
    if bands:
        return [_band(value, bands, column) for value in values]
    return [text_of(value) for value in values]


def several(value: Any, separator: str) -> list[str]:
    """The labels in a cell, each once and sorted.

    Args:
        value: a list, a list as JSON, or labels with a separator between them; an empty cell has
            none.
        separator: between labels.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, str):
        value = [each.strip() for each in value.split(separator)]
    given = value if isinstance(value, list) else [value]
    return sorted({name for name in map(text_of, given) if name is not None})


def numbers(
    values: Sequence[Any],
    column: str,
    key: str = "data.task",
    written: ColumnSpec | None = None,
) -> list[float | None]:
    """Each value as a number; None where it is missing or not finite.

    Args:
        values: as the container has them.
        column: its name, for errors.
        key: the setting that makes it a number.
        written: `decimal`, `thousands` and `units` where numbers are not plain.

    Raises:
        BadInput: a value is not a number.
    """
    remedy = f"the task is regression; name another column, or set {key}=classification"
    found = [_number(value, column, remedy, written or {}) for value in values]
    return [number if math.isfinite(number) else None for number in found]


def second_column(given: Sequence[Any], second: AuxiliaryTarget) -> pa.Array:
    """Cells of the auxiliary target as class names (string) or numbers (float64)."""
    import pyarrow as pa

    if second.task == "regression":
        return pa.array(numbers(given, second.label, "data.second.task"), type=pa.float64())
    return pa.array(class_labels(given, (), second.label), type=pa.string())


def seconds(values: Sequence[str | None], column: str, written: str | None = None) -> list[float]:
    """Each time as seconds since the epoch, or as the number that the cell holds.

    Args:
        values: the cells.
        column: for the message.
        written: `strptime` format, where times are not ISO.

    Raises:
        BadInput: a value is missing, or neither a number nor a date in the format.
    """
    return [_second(value, column, written) for value in values]


def _band(value: Any, bands: Sequence[Band], column: str) -> str | None:
    remedy = "data.bands makes classes of numbers; drop the bands or name another column"
    number = _number(value, column, remedy, {})
    if math.isnan(number):
        return None
    for band in bands:
        above = band.low is None or number >= band.low
        below = band.high is None or number < band.high
        if above and below:
            return band.name
    return None


def _number(value: Any, column: str, remedy: str, written: ColumnSpec) -> float:
    try:
        return parse(value, {"kind": "number", **written})
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"data: the label column {column!r} holds {value!r}, not a number, but {remedy}"
        ) from error


def _second(value: str | None, column: str, written: str | None) -> float:
    if value is None:
        raise BadInput(f"data.time: column {column!r} has rows without a time; fill them in")
    if written is None:
        with suppress(ValueError):
            return float(value)
    try:
        text = value.strip()
        time = datetime.strptime(text, written) if written else datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(
            f"data.time: column {column!r} holds {value!r}, neither a number nor an ISO date; "
            "name its format in data.dates"
        ) from error
    # A time without a zone counts as UTC, so the result does not depend on the machine's zone.
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
