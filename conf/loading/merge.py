"""Layers of a configuration laid one over another: parent, child, overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conf.loading.introspect import Shape
from conf.loading.yaml import KeyPath

OVERRIDE = "override"
"""How the place of a value begins that an override set."""


@dataclass(frozen=True)
class Layer:
    """Plain data, and where each part of it was written."""

    values: dict[str, Any]
    places: Mapping[KeyPath, str] = field(default_factory=dict)
    """Path to "file:line", or to the override that set it."""

    def over(self, parent: Layer, shape: Shape) -> Layer:
        """This layer laid over its parent."""
        replaced = {
            path for path in self.places if not isinstance(value_at(self.values, path), dict)
        }
        kept = {
            path: place
            for path, place in parent.places.items()
            if not any(path[:depth] in replaced for depth in range(1, len(path)))
        }
        values = merge(parent.values, self.values, shape)
        return Layer(values, {**kept, **self.places})

    def place(self, path: KeyPath) -> str:
        """Where the value at a path was written.

        An override of a part of it, or of its neighbour where nothing else was written, comes
        first: it is what most likely made the whole wrong.
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


def value_at(values: Any, path: KeyPath) -> Any:
    """The value at a path; None where there is none."""
    for part in path:
        if not holds(values, part):
            return None
        values = values[part]
    return values


def holds(values: Any, part: str | int) -> bool:
    """Whether a mapping has a key, or a list an index."""
    if isinstance(values, Mapping):
        return part in values
    return isinstance(values, list | tuple) and isinstance(part, int) and 0 <= part < len(values)


def merge(parent: Any, child: Any, shape: Shape) -> Any:
    """Lay `child` over `parent`, mapping by mapping; anything else replaces what was there.

    Where the child makes a union another kind, that part starts anew with the child's keys alone:
    settings of one kind mean nothing to another. A mapping with free keys is emptied by an empty
    one (`search.space={}`).
    """
    if not isinstance(parent, dict) or not isinstance(child, dict):
        return child
    if shape.changes_kind(parent, child) or (shape.values is not None and not child):
        return child
    both = {**parent, **child}
    for key in parent.keys() & child.keys():
        both[key] = merge(parent[key], child[key], shape.child(key, both))
    return both
