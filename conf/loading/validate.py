"""Validation of a configuration, with pydantic's errors explained: place, value and remedy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from conf.loading.introspect import Shape, choices, leaf_keys, shape_of
from conf.loading.merge import Layer, holds, item_at, value_at
from conf.loading.yaml import KeyPath
from conf.runtime.errors import MOST_PROBLEMS, ErrorDetail

Model = TypeVar("Model", bound=BaseModel)
Locate = Callable[[KeyPath], str]

_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_TYPES = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "none_required": "null",
    "finite_number": "a finite number",
}
# A key to its usual names in other libraries, for suggestions.
_USUAL = {
    "lr": ("learning_rate",),
    "epochs": ("num_epochs", "max_epochs", "n_epochs", "num_train_epochs"),
    "batch_size": ("bs", "batch"),
    "weight_decay": ("wd", "decay"),
    "optimizer": ("optim", "optimiser"),
    "schedule": ("scheduler", "lr_scheduler"),
    "warmup": ("warmup_ratio", "warmup_steps"),
    "clip": ("grad_clip", "max_grad_norm", "gradient_clip_val"),
    "patience": ("early_stopping",),
    "rank": ("r", "lora_r"),
    "alpha": ("lora_alpha",),
    "dropout": ("lora_dropout", "drop"),
    "targets": ("target_modules",),
    "tokens": ("max_length", "max_len"),
    "trials": ("n_trials", "num_trials"),
}
_COMMIT = r"^[0-9a-f]{40}$"
# Patterns of names in words.
_PATTERNS = {
    r"^[a-z0-9][a-z0-9-]{0,62}$": "lower-case letters, digits and dashes, at most 63",
    r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$": "letters, digits, dashes and underscores, at most 63",
    r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+$": "a dotted key such as train.lr",
    _COMMIT: "its commit's 40 hex digits, shown under Files on its page of the hub, and by "
    "git ls-remote",
}


def field_problems(model: type[BaseModel], layer: Layer) -> list[ErrorDetail]:
    """All errors of the fields of a configuration in a layer's values."""
    return problems_of(model, layer.values, layer.place)


def problems_of(model: type[BaseModel], values: object, locate: Locate) -> list[ErrorDetail]:
    """All errors of the values, one for each key."""
    try:
        validated(model, values)
    except ValidationError as error:
        return explain(error, model, values, locate)
    return []


def validated(model: type[Model], values: object) -> Model:
    """The model of plain values, in strict mode: true is no number.

    Validates JSON, for which strict mode still accepts a list for a tuple.

    Raises:
        ValidationError: The values are invalid.
    """
    return model.model_validate_json(json.dumps(values), strict=True)


def explain(
    error: ValidationError, model: type[BaseModel], values: object, locate: Locate
) -> list[ErrorDetail]:
    """The errors of pydantic, one for each key; at most `MOST_PROBLEMS` + 1."""
    grouped: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        path = real_path(detail["loc"], values, missing=detail["type"] == "missing")
        if detail["type"] == "too_short" and value_at(values, path):
            continue  # because its items are invalid, which are reported themselves
        grouped.setdefault(path, []).append(detail)
    return [
        _problem(path, details, model, values, locate(path))
        for path, details in islice(grouped.items(), MOST_PROBLEMS + 1)
    ]


def real_path(location: Iterable[str | int], values: object, *, missing: bool) -> KeyPath:
    """The path in the values of a location of pydantic, which also names branches of unions."""
    parts = tuple(location)
    path: list[str | int] = []
    here = values
    for index, part in enumerate(parts):
        if holds(here, part):
            here = item_at(here, part)
            path.append(part)
        elif missing and index == len(parts) - 1:
            path.append(part)
    return tuple(path)


def dotted(path: KeyPath) -> str:
    """A path in dotted notation."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the configuration"


def nearest_key(wrong: str, known: Iterable[str]) -> str | None:
    """The most similar known key, also by its usual name in other libraries."""
    meant: dict[str, str] = {}
    for key in known:
        section, dot, name = key.rpartition(".")
        meant |= {f"{section}{dot}{usual}": key for usual in _USUAL.get(name, ())}
        meant[key] = key
    near = get_close_matches(wrong, list(meant), n=1)
    return meant[near[0]] if near else None


def did_you_mean(wrong: object, known: Iterable[object]) -> str:
    """A remedy that names the most similar known word, or lists a few."""
    words = [str(word) for word in known]
    if near := get_close_matches(str(wrong), words, n=1):
        return f"did you mean {near[0]}?"
    return f"one of {', '.join(words)}" if 0 < len(words) <= 12 else ""


def shape_at(shape: Shape, path: KeyPath, values: object) -> Shape:
    """Shape at a path of some values."""
    for part in path:
        shape = shape.child(part, values)
        values = item_at(values, part)
    return shape


def _problem(
    path: KeyPath, details: list[ErrorDetails], model: type[BaseModel], values: object, where: str
) -> ErrorDetail:
    value = value_at(values, path)
    if any(detail["type"] == "extra_forbidden" for detail in details):
        remedy = _unknown_key(path, model, values)
        return ErrorDetail(dotted(path), "unknown key", value=value, remedy=remedy, where=where)
    choices = [word for detail in details for word in _choices(detail)]
    if near := get_close_matches(str(value), choices, n=1):  # shorter than a list of many choices
        remedy = f"did you mean {near[0]}?"
        return ErrorDetail(
            dotted(path), f"{shown(value)} is not a choice here", value, remedy, where
        )
    remedies = dict.fromkeys(filter(None, (_remedy(path, detail) for detail in details)))
    remedy = "; ".join(remedies)
    return ErrorDetail(dotted(path), _message(details), value=value, remedy=remedy, where=where)


def _message(details: list[ErrorDetails]) -> str:
    """One message for all errors of a key, which may be of several branches of a union."""
    names = [detail for detail in details if detail["type"] == "string_pattern_mismatch"]
    details = names or details
    expected = list(dict.fromkeys(filter(None, map(_expected, details))))
    if expected:
        return f"{shown(details[0]['input'])} is not {' or '.join(expected)}"
    return " or ".join(dict.fromkeys(map(_sentence, details)))


def _unknown_key(path: KeyPath, model: type[BaseModel], values: object) -> str:
    """Remedy: kinds that have the key, else the nearest key beside it, else one in another
    section."""
    shape = shape_of(model)
    beside = shape_at(shape, path[:-1], values)
    known = beside.names(value_at(values, path[:-1]))
    wrong = str(path[-1])
    if wrong in beside.names():
        kinds = [choices(m, beside.discriminator) for m in beside.models if wrong in m.model_fields]
        return f"it goes with {beside.discriminator}: {', '.join(k for ks in kinds for k in ks)}"
    if near := nearest_key(wrong, known):
        return f"did you mean {dotted((*path[:-1], near))}?"
    names = (wrong, *(key for key, usual in _USUAL.items() if wrong in usual))
    elsewhere = [key for key in leaf_keys(shape) if key.rpartition(".")[2] in names]
    if elsewhere:
        return f"did you mean {elsewhere[0]}?"
    return f"known here: {', '.join(sorted(known))}" if known else ""


def _expected(detail: ErrorDetails) -> str:
    """What a value should be, to follow "is not"."""
    kind, context = detail["type"], detail.get("ctx") or {}
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]}"
    if choices := _choices(detail):
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    return _TYPES.get(kind, "")


def _sentence(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx") or {}
    chooser = context.get("discriminator", "").strip("'")
    if kind == "union_tag_invalid":
        return f"{chooser} {shown(context['tag'])} is not a choice here"
    if kind == "union_tag_not_found":
        return f"{chooser} is missing"
    if kind == "string_pattern_mismatch":
        what = "commit" if context["pattern"] == _COMMIT else "name"
        return f"{shown(detail['input'])} is not a {what}"
    plain = {"missing": "is missing", "too_short": "must not be empty"}
    return plain.get(kind, detail["msg"].removeprefix("Value error, "))


def _remedy(path: KeyPath, detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx") or {}
    if kind == "union_tag_invalid":
        return did_you_mean(context["tag"], _words(context["expected_tags"]))
    if kind == "string_pattern_mismatch":
        return f"use {_PATTERNS.get(context['pattern'], context['pattern'])}"
    if path[-2:] == ("weights", "name") and kind == "literal_error":
        return "names of the hub go with source: hub and a revision"
    if path[-1:] == ("weights",) and isinstance(given := detail["input"], str):
        return (
            f"write {{source: hub, name: {given}, revision: ...}}, {{source: local, path: {given}}}"
            " or {source: package, name: ...}"
        )
    if path[:2] == ("search", "space") and len(path) == 3 and kind.startswith("model_"):
        return "write {low: ..., high: ...} or {choices: [...]}"
    return ""


def _choices(detail: ErrorDetails) -> list[str]:
    """Permitted values that an error names."""
    return _words(detail["ctx"]["expected"]) if detail["type"] == "literal_error" else []


def _words(expected: str) -> list[str]:
    """Choices in pydantic's `'a', 'b' or 'c'`."""
    return [word.strip(" '") for word in expected.replace(" or ", ", ").split(", ")]


def shown(value: object) -> str:
    """A value as in YAML, shortened."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value) if isinstance(value, str) and not value.isidentifier() else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
