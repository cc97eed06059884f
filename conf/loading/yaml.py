"""Safe YAML 1.2 reader: plain data with the line of every key, bounded in size and depth.

Built on the events of ruamel.yaml's parser, with the core schema of YAML 1.2 applied here, so that
the type of a scalar depends on this module alone: `1e-4` is a number, `on` and a date are strings.
No tag constructs an object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import JsonValue
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from conf.runtime.errors import BadConfig, ErrorDetail

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the root to a value."""
JsonObject = dict[str, JsonValue]

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 20_000  # an alias counts as the nodes of its anchor

_TAG = "tag:yaml.org,2002:"
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,300}")
_BASED = re.compile(r"0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")


@dataclass(frozen=True)
class YamlDocument:
    """A parsed YAML document: mappings with string keys, lists and scalars."""

    value: JsonValue
    lines: Mapping[KeyPath, int]
    """Line (from 1) of each key and list item."""


def read_yaml(path: Path, shown: str) -> YamlDocument:
    """Read a file.

    Args:
        path: The file.
        shown: Its name in errors.

    Raises:
        BadConfig: The file cannot be read, is not UTF-8, not YAML, or exceeds a limit.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadConfig([ErrorDetail(shown, f"cannot be read: {error.strerror}")]) from error
    if len(content) > MAX_BYTES:
        raise BadConfig([ErrorDetail(shown, f"is larger than {MAX_BYTES // 1024} KiB")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadConfig(
            [ErrorDetail(shown, "is not UTF-8 text", remedy="save it as UTF-8")]
        ) from error
    return parse_yaml(text, shown)


def parse_yaml(text: str, shown: str) -> YamlDocument:
    """Parse a text.

    Args:
        text: One YAML document.
        shown: Its name in errors.

    Raises:
        BadConfig: The text is not YAML or exceeds a limit.
    """
    if len(text) > MAX_BYTES:
        raise BadConfig([ErrorDetail(shown, f"is larger than {MAX_BYTES // 1024} KiB")])
    try:
        return _Reader(YAML(typ="safe", pure=True).parse(text)).document()
    except _NotPlain as error:
        raise _broken(shown, error.line, str(error)) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _broken(shown, mark.line + 1 if mark else None, str(error.problem)) from error
    except (YAMLError, ValueError) as error:
        raise _broken(shown, None, str(error).splitlines()[0]) from error


def _broken(shown: str, line: int | None, message: str) -> BadConfig:
    remedy = "indent with spaces, not tabs" if r"'\t'" in message else ""
    where = f"{shown}:{line}" if line else shown
    return BadConfig([ErrorDetail("YAML", message, remedy=remedy, where=where)])


class _NotPlain(ValueError):
    """Valid YAML that is not accepted in a configuration."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class _Reader:
    """Builds plain data from a stream of parser events."""

    events: Iterator[Event]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    anchors: dict[str, tuple[JsonValue, int]] = field(default_factory=dict)
    nodes: int = 0

    def document(self) -> YamlDocument:
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), StreamEndEvent):
            return YamlDocument(None, {})
        value = self.node(next(self.events), (), 0)
        assert isinstance(next(self.events), DocumentEndEvent)
        if isinstance(extra := next(self.events), DocumentStartEvent):
            raise _NotPlain("a second document begins here; keep one per file", _line(extra))
        return YamlDocument(value, self.lines)

    def node(self, event: Event, path: KeyPath, depth: int) -> JsonValue:
        self.count(1, event)
        if depth > MAX_DEPTH:
            raise _NotPlain(f"nested deeper than {MAX_DEPTH} levels", _line(event))
        if isinstance(event, AliasEvent):
            return self.alias(event)
        assert isinstance(event, NodeEvent)
        before = self.nodes
        value = self.build(event, path, depth)
        if event.anchor:
            self.anchors[event.anchor] = (value, self.nodes - before + 1)
        return value

    def build(self, event: Event, path: KeyPath, depth: int) -> JsonValue:
        if isinstance(event, ScalarEvent):
            return _scalar(event)
        if isinstance(event, MappingStartEvent):
            _require_tag(event, "map")
            return self.mapping(path, depth)
        assert isinstance(event, SequenceStartEvent)
        _require_tag(event, "seq")
        return self.sequence(path, depth)

    def mapping(self, path: KeyPath, depth: int) -> JsonObject:
        result: JsonObject = {}
        for event in iter(partial(next, self.events), None):
            if isinstance(event, MappingEndEvent):
                break
            key = self.node(event, path, depth + 1)
            if not isinstance(key, str):
                raise _NotPlain(f"the key {key!r} is not a string", _line(event))
            if key == "<<":
                raise _NotPlain("merge keys (<<) are not supported; use extends", _line(event))
            if key in result:
                first = self.lines[(*path, key)]
                raise _NotPlain(
                    f"the key {key!r} is duplicated, first in line {first}", _line(event)
                )
            self.lines[(*path, key)] = _line(event)
            result[key] = self.node(next(self.events), (*path, key), depth + 1)
        return result

    def sequence(self, path: KeyPath, depth: int) -> list[JsonValue]:
        result: list[JsonValue] = []
        for event in iter(partial(next, self.events), None):
            if isinstance(event, SequenceEndEvent):
                break
            self.lines[(*path, len(result))] = _line(event)
            result.append(self.node(event, (*path, len(result)), depth + 1))
        return result

    def alias(self, event: AliasEvent) -> JsonValue:
        if event.anchor not in self.anchors:
            raise _NotPlain(
                f"*{event.anchor} refers to an anchor that is not defined above", _line(event)
            )
        value, size = self.anchors[event.anchor]
        self.count(size, event)
        return value

    def count(self, nodes: int, event: Event) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise _NotPlain(f"more than {MAX_NODES} values, aliases included", _line(event))


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1


def _require_tag(event: ScalarEvent | CollectionStartEvent, kind: str) -> None:
    if event.tag not in (None, "!", _TAG + kind):
        raise _NotPlain(f"the tag {event.tag} is not supported; drop it", _line(event))


def _scalar(event: ScalarEvent) -> str | bool | int | float | None:
    text = str(event.value)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _NotPlain("an unpaired surrogate is not valid text", _line(event))
    if event.style or event.tag in ("!", _TAG + "str"):
        _require_tag(event, "str")
        return text
    _require_tag(event, "str")
    return _plain(text)


def _plain(text: str) -> str | bool | int | float | None:
    """An unquoted scalar by the core schema of YAML 1.2."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if special := _SPECIAL.fullmatch(text):
        return float((special[1] or "") + "inf") if special[2] else float("nan")
    return text
