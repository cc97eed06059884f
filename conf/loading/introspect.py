"""Introspection of the configuration schema: permitted keys, and settings that differ from their
defaults."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Discriminator, JsonValue
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from conf.loading.yaml import JsonObject
from conf.schema.base import Section

Models = tuple[type[BaseModel], ...]


@dataclass(frozen=True)
class Shape:
    """The sections that may stand at a place; the discriminator selects one of several."""

    models: Models = ()
    discriminator: str | None = None
    """Key that selects the model; absent if models differ by their keys."""
    values: Shape | None = None
    """Shape of the values of a mapping with free keys."""

    def names(self, given: object = None) -> set[str]:
        """Permitted keys, given the present ones."""
        return {name for model in self.candidates(given) for name in model.model_fields}

    def candidates(self, given: object) -> Models:
        """Models that the given data may be; all of them if undetermined."""
        if not isinstance(given, Mapping) or len(self.models) < 2:
            return self.models
        if self.discriminator:
            kind = given.get(self.discriminator)
            fits = tuple(m for m in self.models if kind in choices(m, self.discriminator))
        else:
            fits = tuple(m for m in self.models if given.keys() <= m.model_fields.keys())
        return fits or self.models

    def child(self, key: str | int, given: object = None) -> Shape:
        """Shape under a key."""
        if self.values is not None:
            return self.values
        fields = [
            m.model_fields[str(key)] for m in self.candidates(given) if str(key) in m.model_fields
        ]
        return _joined([_of_field(each) for each in fields])

    def changes_kind(self, old: Mapping[str, object], new: Mapping[str, object]) -> bool:
        """Whether `new`, merged over `old`, selects another model."""
        if len(self.models) < 2:
            return False
        if self.discriminator:
            before, after = (part.get(self.discriminator) for part in (old, new))
            return before is not None and after is not None and before != after
        known = set(self.candidates(old)), set(self.candidates(new))
        return known[0].isdisjoint(known[1])


@cache
def shape_of(model: type[BaseModel]) -> Shape:
    """Shape of a section or a whole configuration."""
    return Shape((model,))


def leaf_keys(shape: Shape, prefix: str = "") -> Iterator[str]:
    """Dotted keys of all fields with plain values, over all kinds."""
    for name in sorted(shape.names()):
        child = shape.child(name)
        if child.models:
            yield from leaf_keys(child, f"{prefix}{name}.")
        elif child.values is None:
            yield f"{prefix}{name}"


def choices(model: type[BaseModel], name: str | None) -> tuple[str, ...]:
    """Values of a `Literal` field; empty for other fields."""
    declared = model.model_fields.get(name or "")
    if declared is None or get_origin(declared.annotation) is not Literal:
        return ()
    return get_args(declared.annotation)


def _of_field(declared: FieldInfo) -> Shape:
    shape = _of_annotation(declared.annotation)
    if declared.discriminator is None:
        return shape
    return Shape(shape.models, _name(declared.discriminator), shape.values)


def _of_annotation(annotation: object) -> Shape:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Shape((annotation,))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotated(_of_annotation(arguments[0]), arguments[1:])
    if origin in (Union, types.UnionType):
        return _joined([_of_annotation(part) for part in arguments])
    if origin is dict:
        return Shape(values=_of_annotation(arguments[1]))
    return Shape()


def _annotated(shape: Shape, metadata: tuple[object, ...]) -> Shape:
    for entry in metadata:
        given = entry.discriminator if isinstance(entry, FieldInfo) else entry
        if isinstance(given, str | Discriminator) and _name(given):
            return Shape(shape.models, _name(given), shape.values)
    return shape


def _name(discriminator: str | Discriminator) -> str | None:
    given = discriminator if isinstance(discriminator, str) else discriminator.discriminator
    return given if isinstance(given, str) else None


def _joined(shapes: list[Shape]) -> Shape:
    models = tuple(dict.fromkeys(model for shape in shapes for model in shape.models))
    named = next((shape.discriminator for shape in shapes if shape.discriminator), None)
    return Shape(models, named, next((s.values for s in shapes if s.values is not None), None))


def differing(section: Section, shape: Shape, below: Section | None = None) -> JsonObject:
    """The least JSON that gives a section: its kind, if there are several, and the fields that
    differ from the section below (if it is of the same kind) or from their defaults."""
    kind = shape.discriminator
    written: JsonObject = {kind: getattr(section, kind)} if kind else {}
    alike = type(below) is type(section)
    for name, field in type(section).model_fields.items():
        value, usual = getattr(section, name), field.get_default(call_default_factory=True)
        under = getattr(below, name) if alike else None
        if name != kind and value != (under if alike else usual):
            written[name] = _plain(value, shape_of(type(section)).child(name), under)
    return written


def _plain(value: object, shape: Shape, below: object) -> JsonValue:
    if isinstance(value, Section):
        return differing(value, shape, below if isinstance(below, Section) else None)
    if isinstance(value, Mapping):
        return {key: _plain(each, shape.child(key), None) for key, each in value.items()}
    plain: JsonValue = to_jsonable_python(value)
    return plain
