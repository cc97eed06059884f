"""Encode raw table columns as numeric inputs: numbers, one-hot categories, calendar features.

A pure function of the rows and of what was fitted on the training split, so that a row is encoded
the same at training, scoring and serving, whatever container it came in. Registered models carry
this very file and run it alone: it imports nothing of this project.

A value is missing when it is null, an empty string, or one of the declared markers; nothing else
is. Categories keep their written form (`"007"`, `"1.10"`, `"NA"`); a typed value has one form in
every container (`true`, `7` for 7.0).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

OTHER = "(other)"
"""The input that categories too rare for their own share; absent where training had none."""
GAP = "(missing)"
"""The input of rows without a category; absent where training had too few such rows."""

Floats = npt.NDArray[np.float64]
ColumnSpec = Mapping[str, Any]
"""How a raw column is encoded:

- `name`: of the raw column;
- `kind`: `number`, `category`, `datetime`, `time` or `duration`;
- `levels` (category): the categories that have an input, in order;
- `rare` (category): categories that training saw too seldom for an input of their own;
- `start` (datetime): seconds since 1970 of the first training row; `hours`: whether it has a time;
- `format` (datetime): of `strptime`, where dates are not ISO;
- `decimal`, `thousands`, `units` (number): the written format, where it is not the plain one.
"""
DAY = 86_400.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text_of(value: Any) -> str | None:
    """The written form of a value; None where it is missing.

    Strings stay as they are. True and False are `true` and `false`, an integral float is written
    as the integer, a date in ISO format, a list or an object as JSON.
    """
    if isinstance(value, str):
        return value or None
    if _is_missing(value):
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    if isinstance(value, list | dict | tuple | np.ndarray):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def parse(value: Any, spec: ColumnSpec) -> float:
    """A value of a column that is no category as a number; NaN where it is missing.

    Numbers are themselves, dates and time stamps seconds since 1970 UTC, times shares of the day
    from 0 to 1, durations seconds.

    Raises:
        ValueError: the value is not of the column's kind.
    """
    if _is_missing(value):
        return math.nan
    return PARSERS[spec["kind"]](value, spec)


def find_level(value: str, levels: Mapping[str, int]) -> int | None:
    """Position of a category among the known ones; None where training never saw it.

    The written form decides. Only where no level has it, `True` is found as `true`, `7.0` as `7`
    and ` a ` as `a`, or the other way round, if exactly one level is that: so a column trained from
    one container is found from another that types it differently.
    """
    if (place := levels.get(value)) is not None:
        return place
    form = _typed_form(value)
    alike = [number for level, number in levels.items() if _typed_form(level) == form]
    return alike[0] if len(alike) == 1 else None


def input_names(specs: Iterable[ColumnSpec]) -> list[str]:
    """Names of the inputs in order: `column`, `column=category`, `column.days`, ..."""
    return [name for spec in specs for name in _names(spec)]


def expand(parsed: Floats, spec: ColumnSpec) -> Floats:
    """What `parse` gives, or positions of levels, as the column's inputs.

    Args:
        parsed: float64 of shape (rows,), NaN where a value is missing; of a category the position
            of its level, -1 where it has no input.
        spec: of the column.

    Returns:
        float64 of shape (rows, inputs); rows without a value are NaN throughout.
    """
    inputs = np.stack(EXPANDERS[spec["kind"]](parsed, spec), axis=1)
    inputs[np.isnan(parsed)] = np.nan
    return inputs


def encode(columns: Any, specs: Sequence[ColumnSpec], missing: Collection[str] = ()) -> Floats:
    """Raw columns as inputs.

    A category without an input of its own counts as `OTHER`, and where that is no input, as none
    of the categories: zeros. A missing one is NaN, like a missing number, where it is no input.

    Args:
        columns: a frame, or a mapping from the name of a column to its values.
        specs: how each raw column is encoded.
        missing: written forms that mean a missing value, beside the empty string.

    Returns:
        float64 of shape (rows, inputs).

    Raises:
        ValueError: a value is not of its column's kind; the sentence names column, row and value.
    """
    markers = frozenset(missing)
    parts = [expand(_parsed(columns[spec["name"]], spec, markers), spec) for spec in specs]
    return np.concatenate(parts, axis=1)


def row_problems(
    columns: Any, specs: Sequence[ColumnSpec], missing: Collection[str] = (), *, gaps: bool
) -> dict[int, str]:
    """Why rows cannot be encoded, by position; rows that can be are absent.

    Args:
        columns: a frame, or a mapping from the name of a column to its values.
        specs: how each raw column is encoded.
        missing: written forms that mean a missing value, beside the empty string.
        gaps: whether the model accepts missing values.
    """
    problems: dict[int, str] = {}
    for spec in specs:
        name = spec["name"]
        for row, value in enumerate(list(columns[name])):
            if row in problems:
                continue
            try:
                (number,) = _parsed([value], spec, frozenset(missing))
            except ValueError:
                problems[row] = f"{name}: {value!r} is no {spec['kind']}"
                continue
            if math.isnan(number) and not gaps:
                problems[row] = f"{name}: the value is missing"
            elif math.isinf(number):
                problems[row] = f"{name}: the value is infinite"
    return problems


def decode(matrix: Floats, specs: Sequence[ColumnSpec]) -> dict[str, list[Any]]:
    """Raw columns that are encoded as this matrix; categories without an input become `OTHER`."""
    columns, start = {}, 0
    for spec in specs:
        width = len(_names(spec))
        columns[spec["name"]] = DECODERS[spec["kind"]](matrix[:, start : start + width], spec)
        start += width
    return columns


def unseen(
    columns: Any, specs: Iterable[ColumnSpec], missing: Collection[str] = ()
) -> dict[str, Counter[str]]:
    """Categories that training never saw and their rows, by column; columns without are absent."""
    strange = {}
    for spec in specs:
        if spec["kind"] == "category":
            known = {level: place for place, level in enumerate((*spec["levels"], *_rare(spec)))}
            texts = Counter(text_of(value) for value in columns[spec["name"]])
            strange[spec["name"]] = Counter(
                {
                    text: rows
                    for text, rows in texts.items()
                    if text and text not in missing and find_level(text, known) is None
                }
            )
    return {name: counts for name, counts in strange.items() if counts}


# Values


def number_pattern(spec: ColumnSpec) -> str:
    """How a number is written in a column, as a regular expression of `re` and RE2.

    A number with a leading zero is a name (`007`).
    """
    decimal = re.escape(spec.get("decimal", "."))
    whole = "(0|[1-9][0-9]*)"
    if thousands := spec.get("thousands"):
        whole = f"(0|[1-9][0-9]{{0,2}}({re.escape(thousands)}[0-9]{{3}})+|[1-9][0-9]*)"
    number = f"({whole}({decimal}[0-9]*)?|{decimal}[0-9]+)([eE][-+]?[0-9]+)?"
    units = "|".join(map(re.escape, spec.get("units", ())))
    unit = f"(({units})\\s*)?" if units else ""
    return f"\\s*[-+]?{unit}[-+]?{number}\\s*{unit}"


def _number(value: Any, spec: ColumnSpec) -> float:
    if not isinstance(value, str):
        return float(value)
    if not re.fullmatch(number_pattern(spec), value):
        raise ValueError(f"{value!r} is no number")
    plain = value
    for unit in spec.get("units", ()):
        plain = plain.replace(unit, "")
    if thousands := spec.get("thousands"):
        plain = plain.replace(thousands, "")
    return float(re.sub(r"\s", "", plain).replace(spec.get("decimal", "."), "."))


def _seconds(value: Any, spec: ColumnSpec) -> float:
    if isinstance(value, np.datetime64):
        return float(value.astype("datetime64[us]").astype(np.int64)) / 1e6
    if isinstance(value, str):
        written = spec.get("format")
        text = value.strip()
        value = datetime.strptime(text, written) if written else datetime.fromisoformat(text)
    if not isinstance(value, date):
        raise ValueError(f"{value!r} is no date")
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return ((value if value.tzinfo else value.replace(tzinfo=UTC)) - EPOCH).total_seconds()


def _time_of_day(value: Any, _: ColumnSpec) -> float:
    clock = time.fromisoformat(value.strip().zfill(5)) if isinstance(value, str) else value
    if not isinstance(clock, time):
        raise ValueError(f"{value!r} is no time of day")
    return (clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1e6) / DAY


def _duration(value: Any, _: ColumnSpec) -> float:
    if isinstance(value, np.timedelta64):
        return float(value.astype("timedelta64[us]").astype(np.int64)) / 1e6
    if isinstance(value, timedelta):
        return value.total_seconds()
    if not isinstance(value, str):
        return float(value)
    match = re.fullmatch(r"(?:(-?\d+) days?,? )?(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?", value.strip())
    if match is None:
        return _number(value, {})
    days, hours, minutes, seconds = match.groups(default="0")
    return int(days) * DAY + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _typed_form(text: str) -> str:
    """What `true` and `True`, `7` and `7.0`, and texts in spaces have in common."""
    plain = text.strip()
    if plain.lower() in ("true", "false"):
        return plain.lower()
    match = re.fullmatch(r"(-?(?:0|[1-9]\d*))(?:\.0+)?", plain)
    return match[1] if match else plain


def _is_missing(value: Any) -> bool:
    """Whether a value is null, the empty string, NaN, NaT or pandas' NA."""
    if value is None or isinstance(value, str):
        return not value
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas' NA has no truth, an array has several
        return not isinstance(value, np.ndarray)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


# Columns


def _parsed(values: Any, spec: ColumnSpec, missing: frozenset[str]) -> Floats:
    """A raw column as `expand` takes it; each distinct value is parsed once."""
    if spec["kind"] == "number" and getattr(getattr(values, "dtype", None), "kind", "O") in "fiub":
        return np.asarray(values, np.float64)
    convert = _position(spec) if spec["kind"] == "category" else lambda one: parse(one, spec)
    known: dict[Any, float] = {}
    rows = []
    for row, value in enumerate(list(values), start=1):
        key = (type(value), value) if isinstance(value, str | int | float | bool) else (row,)
        if key not in known:
            try:
                gone = isinstance(value, str) and value in missing
                known[key] = convert(None if gone else value)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"the column {spec['name']!r} holds {value!r} in row {row}, which is no "
                    f"{spec['kind']}"
                ) from error
        rows.append(known[key])
    return np.array(rows, np.float64)


def _position(spec: ColumnSpec) -> Callable[[Any], float]:
    places = {level: place for place, level in enumerate(spec["levels"])}

    def position(value: Any) -> float:
        text = text_of(value)
        if text is None:
            return places.get(GAP, math.nan)
        place = find_level(text, places)
        return places.get(OTHER, -1) if place is None else place

    return position


def _names(spec: ColumnSpec) -> list[str]:
    name = spec["name"]
    match spec["kind"]:
        case "category":
            return [f"{name}={level}" for level in spec["levels"]]
        case "datetime":
            parts = ("days", "year_sin", "year_cos", "week_sin", "week_cos")
            hours = ("day_sin", "day_cos") if spec.get("hours") else ()
            return [f"{name}.{part}" for part in (*parts, *hours)]
        case "time":
            return [f"{name}.day_sin", f"{name}.day_cos"]
        case "duration":
            return [f"{name}.seconds"]
    return [name]


def _rare(spec: ColumnSpec) -> tuple[str, ...]:
    return tuple(spec.get("rare", ()))


def _one_hot(places: Floats, spec: ColumnSpec) -> list[Floats]:
    return [(places == place).astype(np.float64) for place in range(len(spec["levels"]))]


def _calendar(seconds: Floats, spec: ColumnSpec) -> list[Floats]:
    """Days since the first training row, and the position in the year, the week and the day."""
    there = np.nan_to_num(seconds)
    days = np.floor(there / DAY)
    dates = days.astype("datetime64[D]")
    year = (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
    parts = [(there - spec["start"]) / DAY]
    parts += [*_cycle(year / 366), *_cycle((days + 3) % 7 / 7)]  # 1970 began on a Thursday
    return parts + (_cycle(there % DAY / DAY) if spec.get("hours") else [])


def _cycle(share: Floats) -> list[Floats]:
    """Sine and cosine of a share of a cycle, so that its end lies beside its beginning."""
    return [np.sin(2 * math.pi * share), np.cos(2 * math.pi * share)]


def _levels_of(block: Floats, spec: ColumnSpec) -> list[Any]:
    shown = [None if level == GAP else level for level in spec["levels"]]
    best = np.nan_to_num(block).argmax(axis=1)
    return [
        None if np.isnan(row[place]) else shown[place] if row[place] else OTHER
        for row, place in zip(block, best, strict=True)
    ]


def _dates_of(block: Floats, spec: ColumnSpec) -> list[Any]:
    written = spec.get("format")
    stamps = [_stamp(spec["start"] + days * DAY) for days in block[:, 0].tolist()]
    return [
        stamp and (stamp.strftime(written) if written else stamp.isoformat()) for stamp in stamps
    ]


def _times_of(block: Floats, _: ColumnSpec) -> list[Any]:
    shares = np.arctan2(block[:, 0], block[:, 1]) / (2 * math.pi) % 1.0
    return [stamp and stamp.time().isoformat() for stamp in map(_stamp, (shares * DAY).round(3))]


def _stamp(seconds: float) -> datetime | None:
    return None if math.isnan(seconds) else EPOCH + timedelta(seconds=round(float(seconds), 6))


def _first(block: Floats, _: ColumnSpec) -> list[Any]:
    numbers: list[Any] = block[:, 0].tolist()
    return numbers


PARSERS: Mapping[str, Callable[[Any, ColumnSpec], float]] = {
    "number": _number,
    "datetime": _seconds,
    "time": _time_of_day,
    "duration": _duration,
}
EXPANDERS: Mapping[str, Callable[[Floats, ColumnSpec], list[Floats]]] = {
    "number": lambda numbers, _: [numbers],
    "category": _one_hot,
    "datetime": _calendar,
    "time": lambda shares, _: _cycle(shares),
    "duration": lambda seconds, _: [seconds],
}
DECODERS: Mapping[str, Callable[[Floats, ColumnSpec], list[Any]]] = {
    "number": _first,
    "category": _levels_of,
    "datetime": _dates_of,
    "time": _times_of,
    "duration": _first,
}
