"""Labels as names of classes, whatever a source writes them as."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conf.runtime.errors import BadInput
from conf.schema.data import AuxiliaryTarget, Band
from data.encoding.one_hot import MISSING

if TYPE_CHECKING:  # Arrow is imported only when something is read
    import pyarrow as pa


def class_labels(values: Sequence[Any], bands: Sequence[Band], column: str) -> list[str | None]:
    """Each value's class; None where it is missing or in no band.

    Raises:
        BadInput: a label is no name and no whole number, and no bands make classes of it.
    """
    if bands:
        return [_band(value, bands, column) for value in values]
    return [_name(value, column) for value in values]


def several(value: Any, separator: str, column: str) -> list[str]:
    """The names of the labels in a cell, each once and by alphabet: a list, a list as JSON, or
    names with a separator between them; none where the cell is empty.

    Raises:
        BadInput: a label is no name and no whole number.
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
    """Each value as a number; None where it is missing or not finite. `key` says what it is.

    Raises:
        BadInput: a value is no number.
    """
    remedy = f"the task is regression; name another column, or set {key}=classification"
    found = [_number(value, column, remedy) for value in values]
    return [number if math.isfinite(number) else None for number in found]


def second_column(given: Sequence[Any], second: AuxiliaryTarget) -> pa.Array:
    """A second answer as names of classes, or numbers."""
    import pyarrow as pa

    if second.task == "regression":
        return pa.array(numbers(given, second.label, "data.second.task"), type=pa.float64())
    return pa.array(class_labels(given, (), second.label), type=pa.string())


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
    """A label in words stays; one in digits is read as the number that it is."""
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
            f"data: the label column {column!r} holds {value!r}, which is no number, but {remedy}"
        ) from error
