"""Overrides: `path=value` on the command line and in a flow's parameter, in one grammar.

The path is dotted; the value is read as YAML. Below `search.space` keys have dots of their own:
there the key is the longest part that ends before an optional last word of `DIMENSION_WORDS`, as in
`search.space.train.lr.low=1e-5`. A null value removes a key from the space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from conf.loading.merge import OVERRIDE, Layer
from conf.loading.yaml import KeyPath, parse_yaml
from conf.runtime.errors import BadConfig, ErrorDetail

DIMENSION_WORDS = frozenset({"low", "high", "type", "scale", "step", "choices", "when", "prior"})

_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_SPACE = ("search", "space")


def parse_override(text: str) -> tuple[KeyPath, Any]:
    """Split one override into the path of what it sets, and the value.

    Raises:
        BadConfig: there is no `=`, the path is no dotted name, or the value is no YAML.
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals:
        raise _bad(text, "has no '='", "write path=value, such as train.lr=1e-3")
    if not _PATH.fullmatch(path):
        raise _bad(text, f"{path!r} is no dotted path", "write path=value, such as train.lr=1e-3")
    if path.partition(".")[0] == "extends":
        raise _bad(text, "extends stands in the file", "name the study that you want to run")
    return split_path(path), parse_yaml(value, shown(text)).value


def split_path(path: str) -> KeyPath:
    """The keys that a dotted path goes through."""
    parts = tuple(path.split("."))
    if parts[:2] != _SPACE or len(parts) < 3:
        return parts
    key = parts[2:]
    if len(key) > 1 and key[-1] in DIMENSION_WORDS:
        return (*_SPACE, ".".join(key[:-1]), key[-1])
    return (*_SPACE, ".".join(key))


def overrides_layer(overrides: Sequence[str]) -> tuple[Layer, list[ErrorDetail]]:
    """All overrides as one layer, and what is wrong with those that cannot be read.

    Of two for one path the later holds.
    """
    values: dict[str, Any] = {}
    places: dict[KeyPath, str] = {}
    problems: list[ErrorDetail] = []
    for text in overrides:
        try:
            path, value = parse_override(text)
        except BadConfig as error:
            problems.extend(error.problems)
            continue
        if path == _SPACE and value == "auto":
            path, value = (*_SPACE, "auto"), True  # so that others may set parts of the space
        _set(values, path, value)
        places.update(dict.fromkeys(_paths(path, value), shown(text)))
    return Layer(values, places), problems


def shown(text: str) -> str:
    """How an override is named in errors."""
    short = text if len(text) <= 60 else text[:57] + "..."
    return f"{OVERRIDE} {short!r}"


def _set(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    here: Any = values
    for part in path[:-1]:
        if not isinstance(here.get(part), dict):
            here[part] = {}
        here = here[part]
    here[path[-1]] = value


def _paths(path: KeyPath, value: Any) -> Iterator[KeyPath]:
    """The path of a value and of everything in it."""
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths((*path, key), part)


def _bad(text: str, message: str, remedy: str) -> BadConfig:
    return BadConfig(
        [ErrorDetail("overrides", message, value=text, remedy=remedy, where=shown(text))]
    )
