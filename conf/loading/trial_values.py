"""Dimensions, and settings read from or applied to a configuration by dotted key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from conf.loading.introspect import shape_of
from conf.loading.validate import explain, validated
from conf.loading.yaml import JsonObject
from conf.runtime.errors import BadConfig, ErrorDetail
from conf.schema.search import Choices, Range, Scalar
from conf.schema.study import Study, TrialConfig

Config = TypeVar("Config", bound=BaseModel)
Space = Mapping[str, Range | Choices]


def apply_values(config: Config, values: Mapping[str, Scalar]) -> Config:
    """The configuration with some settings changed, validated as a whole.

    Discriminators (`model.kind`) are set first: where one changes, its section starts from the
    defaults of the new kind.

    Raises:
        BadConfig: A key is unknown, or a field refuses its value.
    """
    data = config.model_dump(mode="json")
    kinds = [key for key in values if chooses_kind(type(config), data, key)]
    for key in sorted(kinds, key=lambda key: key.count(".")):
        _set_kind(data, key, values[key])
    for key in values.keys() - set(kinds):
        _set(data, key, values[key])
    try:
        return validated(type(config), data)
    except ValidationError as error:
        problems = explain(error, type(config), data, lambda _: "")
        raise BadConfig(problems) from error


def values_of(study: Study, config: TrialConfig) -> dict[str, Scalar]:
    """Values of all searched keys that are active in a configuration, defaults included."""
    return active_values(study.search.space, config)


def active_values(space: Mapping[str, Range | Choices], config: TrialConfig) -> dict[str, Scalar]:
    """Values of all keys of the space that exist and whose conditions hold."""
    active: dict[str, Scalar] = {}
    for key, dimension in space.items():
        if not is_active(key, space, config):
            continue
        present, value = lookup(config, key)
        if present:
            active[key] = space_value(dimension, value)
    return active


def is_active(
    key: str, space: Mapping[str, Range | Choices], config: TrialConfig, depth: int = 0
) -> bool:
    """Whether all conditions of a key hold in a configuration, including its parents'
    conditions."""
    when = space[key].when or {}
    if depth > len(space):  # the conditions form a cycle
        return False
    for parent, wanted in when.items():
        if parent in space and not is_active(parent, space, config, depth + 1):
            return False
        _, value = lookup(config, parent)
        if not any(same(value, option) for option in options(wanted)):
            return False
    return True


def lookup(config: BaseModel, key: str) -> tuple[bool, Any]:
    """Whether a configuration has a key, and its value."""
    here: object = config
    for part in key.split("."):
        if not isinstance(here, BaseModel) or part not in type(here).model_fields:
            return False, None
        here = getattr(here, part)
    return True, here


def options(wanted: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """Values that a condition admits."""
    return wanted if isinstance(wanted, tuple) else (wanted,)


def same(one: object, other: object) -> bool:
    """Equality of settings: 32 equals 32.0, but true is not 1 and text is no number."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def space_value(dimension: Range | Choices, value: Scalar) -> Scalar:
    """A field's value in the types of the space: 10.0 in a whole-number range is 10."""
    if isinstance(dimension, Choices):
        return next((choice for choice in dimension.choices if same(choice, value)), value)
    if dimension.type == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    return float(value) if dimension.type == "float" and type(value) is int else value


def chooses_kind(model: type[BaseModel], data: Mapping[str, object], key: str) -> bool:
    """Whether a key is the discriminator of its section."""
    shape, here = shape_of(model), data
    *path, last = key.split(".")
    for part in path:
        shape = shape.child(part, here)
        section = here.get(part)
        here = section if isinstance(section, Mapping) else {}
    return shape.discriminator == last


def _set_kind(data: JsonObject, key: str, value: Scalar) -> None:
    path, _, last = key.rpartition(".")
    section = _section(data, path, key)
    if not same(section.get(last), value):
        section.clear()
        section[last] = value


def _set(data: JsonObject, key: str, value: Scalar) -> None:
    path, _, last = key.rpartition(".")
    _section(data, path, key)[last] = value


def _section(data: JsonObject, path: str, key: str) -> JsonObject:
    """The section at a path; one that is off (null) starts from its defaults."""
    section = data
    for part in path.split("."):
        if section.get(part) is None:
            section[part] = {}
        inner = section[part]
        if not isinstance(inner, dict):
            raise BadConfig([ErrorDetail(key, f"{part} is a plain value, not a section")])
        section = inner
    return section


def size(space: Space) -> int | None:
    """Upper bound of the number of configurations in a space (conditions reduce it); None if
    infinite."""
    counts = [levels(dimension) for dimension in space.values()]
    return None if None in counts else math.prod(count for count in counts if count is not None)


def levels(dimension: Range | Choices) -> int | None:
    """Number of values of a dimension; None if infinite."""
    if isinstance(dimension, Choices):
        return len(dimension.choices)
    if dimension.low == dimension.high:
        return 1
    step = dimension.step or (1.0 if dimension.type == "int" else None)
    return None if step is None else math.floor((dimension.high - dimension.low) / step + 1e-9) + 1


def contains(dimension: Range | Choices, value: object) -> bool:
    """Whether a value belongs to a dimension."""
    if isinstance(dimension, Choices):
        return any(same(value, choice) for choice in dimension.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    steps = (value - dimension.low) / (dimension.step or 1)
    whole = dimension.step is not None or dimension.type == "int"
    on_grid = not whole or math.isclose(steps, round(steps), abs_tol=1e-9)
    return dimension.low <= value <= dimension.high and on_grid
