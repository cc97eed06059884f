"""What must be written of a configuration: that which is not so anyway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from conf.loading.introspect import Shape, shape_of
from conf.schema.base import Section


def differing(section: Section, shape: Shape, below: Section | None = None) -> dict[str, Any]:
    """What must be written at a place to get a section, as plain data: which kind it is, where the
    place's shape has several, and what differs from the section below it, where that is of its
    kind, or else from the defaults of its fields."""
    kind = shape.discriminator
    found = {kind: getattr(section, kind)} if kind else {}
    alike = type(below) is type(section)
    for name, field in type(section).model_fields.items():
        value, usual = getattr(section, name), field.get_default(call_default_factory=True)
        under = getattr(below, name) if alike else None
        if name != kind and value != (under if alike else usual):
            found[name] = _plain(value, shape_of(type(section)).child(name), under)
    return found


def _plain(value: Any, shape: Shape, below: Any) -> Any:
    if isinstance(value, Section):
        return differing(value, shape, below)
    if isinstance(value, Mapping):
        return {key: _plain(each, shape.child(key), None) for key, each in value.items()}
    return to_jsonable_python(value)
