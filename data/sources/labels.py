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
from data.encoding.one_hot import MISSING

if TYPE_CHECKING:  # Arrow is imported only by a read
    import pyarrow as pa


def class_labels(values: Sequence[Any], bands: Sequence[Band], column: str) -> list[str | None]:
    """Class of each cell; None where it is missing or in no band.

    Raises:
        BadInput: without bands, a label that is neither a name nor an integer.
    """
    if bands:
        return [_band(value, bands, column) for value in values]
    return [_name(value, column) for value in values]


def several(value: Any, separator: str, column: str) -> list[str]:
    """Names of the labels in one cell, unique and sorted; an empty cell means no label.

    Args:
        value: a list, a list as JSON, or names with a separator between them.
        separator: between the names.
        column: for the message.

    Raises:
        BadInput: a label is neither a name nor an integer.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError):
            value = json.loads(value)
    given = value.split(separator) if isinstance(value, str) else value
    names = [_name(each, column) for each in (given if isinstance(given, list) else [given])]
    return sorted({name for name in names if name is not None})


def numbers(values: Sequence[Any], column: str, key: str = "data.task") -> list[float | None]:
    """Each cell as a number; None where it is missing or not finite.

    Args:
        values: the cells.
        column: for the message.
        key: setting that makes the column numeric, for the message.

    Raises:
        BadInput: a value is not a number.
    """
    remedy = f"the task is regression; name another column, or set {key}=classification"
    found = [_number(value, column, remedy) for value in values]
    return [number if math.isfinite(number) else None for number in found]


def second_column(given: Sequence[Any], second: AuxiliaryTarget) -> pa.Array:
    """Cells of the auxiliary target as class names (string) or numbers (float64)."""
    import pyarrow as pa

    if second.task == "regression":
        return pa.array(numbers(given, second.label, "data.second.task"), type=pa.float64())
    return pa.array(class_labels(given, (), second.label), type=pa.string())


def seconds(values: Sequence[str | None], column: str) -> list[float]:
    """Each time as seconds since the epoch, or as the number that the cell holds.

    Raises:
        BadInput: a value is missing, or neither a number nor an ISO date.
    """
    return [_second(value, column) for value in values]


def _name(value: Any, column: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _named(value.strip(), column)
    if isinstance(value, int | float):
        return _whole(float(value), column)
    raise BadInput(f"data: the label column {column!r} holds {type(value).__name__}; name another")


def _named(text: str, column: str) -> str | None:
    """A name stays; digits are parsed, so that `1` and `1.0` are one class."""
    if text.lower() in MISSING:
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    return _whole(number, column)


def _whole(number: float, column: str) -> str | None:
    if math.isnan(number):
        return None
    if not number.is_integer():
        raise BadInput(
            f"data: the label column {column!r} holds fractions such as {number:g}; classes are "
            "names or whole numbers: name another column, or make classes of ranges with data.bands"
        )
    return str(int(number))


def _band(value: Any, bands: Sequence[Band], column: str) -> str | None:
    remedy = "data.bands makes classes of numbers; drop the bands or name another column"
    number = _number(value, column, remedy)
    if math.isnan(number):
        return None
    for band in bands:
        above = band.low is None or number >= band.low
        below = band.high is None or number < band.high
        if above and below:
            return band.name
    return None


def _number(value: Any, column: str, remedy: str) -> float:
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"data: the label column {column!r} holds {value!r}, not a number, but {remedy}"
        ) from error


def _second(value: str | None, column: str) -> float:
    if value is None:
        raise BadInput(f"data.time: column {column!r} has rows without a time; fill them in")
    try:
        return float(value)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise BadInput(
            f"data.time: column {column!r} holds {value!r}, neither a number nor an ISO date"
        ) from error
    # A time without a zone counts as UTC, so the result does not depend on the machine's zone.
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
