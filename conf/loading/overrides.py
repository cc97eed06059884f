"""Parse overrides `path=value`, as given on the command line and to flows.

The path is dotted, the value is YAML. Keys below `search.space` contain dots themselves: the key is
the rest of the path, without a last word of `DIMENSION_WORDS`, as in
`search.space.train.lr.low=1e-5`. A null value removes a key from the space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from conf.loading.merge import OVERRIDE, Layer
from conf.loading.yaml import JsonObject, KeyPath, parse_yaml
from conf.runtime.errors import BadConfig, ErrorDetail

DIMENSION_WORDS = frozenset({"low", "high", "type", "scale", "step", "choices", "when", "prior"})

_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_SPACE = ("search", "space")


def parse_override(text: str) -> tuple[tuple[str, ...], JsonValue]:
    """Parse one override into its path and value.

    Raises:
        BadConfig: There is no `=`, the path is not a dotted name, or the value is not YAML.
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals:
        raise _bad(text, "has no '='", "write path=value, such as train.lr=1e-3")
    if not _PATH.fullmatch(path):
        raise _bad(
            text, f"{path!r} is not a dotted path", "write path=value, such as train.lr=1e-3"
        )
    if path.partition(".")[0] == "extends":
        raise _bad(text, "extends belongs in the file", "give the name of the study to run")
    return split_path(path), parse_yaml(value, shown(text)).value


def split_path(path: str) -> tuple[str, ...]:
    """The keys of a dotted path."""
    parts = tuple(path.split("."))
    if parts[:2] != _SPACE or len(parts) < 3:
        return parts
    key = parts[2:]
    if len(key) > 1 and key[-1] in DIMENSION_WORDS:
        return (*_SPACE, ".".join(key[:-1]), key[-1])
    return (*_SPACE, ".".join(key))


def overrides_layer(overrides: Sequence[str]) -> tuple[Layer, list[ErrorDetail]]:
    """All overrides as one layer, and the errors of those that cannot be parsed.

    Of two overrides of one path the later one counts.
    """
    values: JsonObject = {}
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
    """An override as a place in errors, shortened."""
    short = text if len(text) <= 60 else text[:57] + "..."
    return f"{OVERRIDE} {short!r}"


def _set(values: JsonObject, path: Sequence[str], value: JsonValue) -> None:
    section = values
    for key in path[:-1]:
        inner = section.get(key)
        if not isinstance(inner, dict):
            inner = section[key] = {}
        section = inner
    section[path[-1]] = value


def _paths(path: KeyPath, value: JsonValue) -> Iterator[KeyPath]:
    """The paths of a value and of everything in it."""
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths((*path, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths((*path, index), item)


def _bad(text: str, message: str, remedy: str) -> BadConfig:
    return BadConfig(
        [ErrorDetail("overrides", message, value=text, remedy=remedy, where=shown(text))]
    )
