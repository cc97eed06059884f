"""Merge the layers of a configuration: parent study, study, overrides.

A layer remembers where each of its values was written, so that an error can name the place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from conf.loading.introspect import Shape
from conf.loading.yaml import JsonObject, KeyPath

OVERRIDE = "override"
"""Prefix of the place of a value that an override has set."""


@dataclass(frozen=True)
class Layer:
    """Values, and the places where they were written."""

    values: JsonObject
    places: Mapping[KeyPath, str] = field(default_factory=dict)
    """Path of a value to "file:line", or to its override."""

    def over(self, parent: Layer, shape: Shape) -> Layer:
        """This layer merged over `parent`; places of replaced values are dropped."""
        replaced = {
            path for path in self.places if not isinstance(value_at(self.values, path), dict)
        }
        inherited = {
            path: place
            for path, place in parent.places.items()
            if not any(path[:depth] in replaced for depth in range(1, len(path)))
        }
        values = merge(parent.values, self.values, shape)
        assert isinstance(values, dict)
        return Layer(values, {**inherited, **self.places})

    def place(self, path: KeyPath) -> str:
        """The place of the value at a path.

        An override of a part of the value takes precedence, as does one of a sibling if the value
        itself was not written: most likely it made the section invalid.
        """
        for depth in range(len(path), 0, -1):
            head = path[:depth]
            if depth == len(path) or head not in self.places:
                for key, place in reversed(list(self.places.items())):
                    if key[:depth] == head and place.startswith(OVERRIDE):
                        return place
            if head in self.places:
                return self.places[head]
        return ""


def value_at(values: object, path: KeyPath) -> object:
    """The value at a path; None if there is none."""
    for part in path:
        values = item_at(values, part)
    return values


def item_at(values: object, part: str | int) -> object:
    """The value of a key of a mapping or an index of a list; None if there is none."""
    if isinstance(values, Mapping):
        return values.get(part)
    if isinstance(values, list | tuple) and isinstance(part, int) and holds(values, part):
        return values[part]
    return None


def holds(values: object, part: str | int) -> bool:
    """Whether a mapping has a key, or a list an index."""
    if isinstance(values, Mapping):
        return part in values
    return isinstance(values, list | tuple) and isinstance(part, int) and 0 <= part < len(values)


def merge(parent: JsonValue, child: JsonValue, shape: Shape) -> JsonValue:
    """Merge `child` over `parent`: mappings key by key, lists and scalars by replacement.

    If the child selects another kind of a section (`model.kind`), the parent's section is replaced
    as a whole, since its settings belong to the other kind. An empty mapping replaces one with
    free keys (`search.space={}`).
    """
    if not isinstance(parent, dict) or not isinstance(child, dict):
        return child
    if shape.changes_kind(parent, child) or (shape.values is not None and not child):
        return child
    both = {**parent, **child}
    for key in parent.keys() & child.keys():
        both[key] = merge(parent[key], child[key], shape.child(key, both))
    return both
