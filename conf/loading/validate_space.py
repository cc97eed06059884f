"""Validation of `search.space` against the fields that it sets.

Every value that the space can produce must be accepted by its field as it is, for every kind of
model under which it is active, and trial 0 must lie in the space.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import cache
from itertools import islice, product

from pydantic import ValidationError

from conf.loading.introspect import leaf_keys, shape_of
from conf.loading.merge import Layer, holds, item_at, value_at
from conf.loading.trial_values import (
    Space,
    apply_values,
    chooses_kind,
    contains,
    is_active,
    levels,
    lookup,
    options,
    same,
    size,
)
from conf.loading.validate import Model, nearest_key, real_path, shown, validated
from conf.loading.yaml import KeyPath
from conf.runtime.errors import MOST_PROBLEMS, BadConfig, ErrorDetail
from conf.schema.search import Choices, Range, Scalar, Search
from conf.schema.study import SEARCHABLE, TRIAL_SECTIONS, TrialConfig

_MOST_ACTIVATIONS = 64


def space_problems(layer: Layer) -> list[ErrorDetail]:
    """All errors of `search.space`, given the configuration of trial 0.

    Invalid parts of the layer are left out here: `field_problems` reports them.
    """
    values = layer.values
    trial = {name: values[name] for name in TRIAL_SECTIONS if name in values}
    config, broken = sound(TrialConfig, trial)
    given = values.get("search", {})
    search, _ = sound(Search, given)
    if config is None or search is None:
        return []
    details = (
        _detail(layer, message, remedy, key)
        for key in search.space
        for message, remedy in _complaints(key, search.space, config, broken)
    )
    problems = list(islice(details, MOST_PROBLEMS + 1))
    if not search.space and search.trials > 1:
        message = f"is empty: there is one configuration, but search.trials is {search.trials}"
        remedy = "name a setting to search, or set search.trials=1"
        problems.append(_detail(layer, message, remedy))
    if not problems and item_at(given, "space") and size(search.space) == 1:
        remedy = "widen a range, or empty the space and set search.trials=1"
        problems.append(_detail(layer, "holds one configuration only", remedy))
    return problems


def _detail(layer: Layer, message: str, remedy: str, *key: str) -> ErrorDetail:
    """The error of a dimension or, without a key, of the whole space."""
    path = ("search", "space", *key)
    value = value_at(layer.values, path) if key else None
    return ErrorDetail(".".join(path), message, value, remedy, layer.place(path))


def _complaints(
    key: str, space: Space, config: TrialConfig, broken: Sequence[KeyPath]
) -> Iterator[tuple[str, str]]:
    """Message and remedy of each error of one dimension."""
    if complaint := _not_searchable(key):
        yield complaint
        return
    if complaint := _bad_condition(key, space):
        yield complaint
        return
    refused = list(_refused_values(key, space, config))
    yield from refused[:1]  # the second end of a range seldom adds anything
    path = tuple(key.split("."))
    if not refused and not any(path[: len(part)] == part for part in broken):
        yield from _outside(key, space, config)


def _not_searchable(key: str) -> tuple[str, str] | None:
    section, known = key.partition(".")[0], _searchable()
    if key in known:
        return None
    if section in TRIAL_SECTIONS and section not in SEARCHABLE:
        return f"{section} may not be searched", f"search keys of {', '.join(SEARCHABLE)}"
    near = nearest_key(key, known) or next((k for k in known if k.endswith(f".{key}")), None)
    return "unknown key", f"did you mean {near}?" if near else "see dense check for the keys"


@cache
def _searchable() -> tuple[str, ...]:
    """All keys that can be searched."""
    keys = leaf_keys(shape_of(TrialConfig))
    return tuple(key for key in keys if key.split(".")[0] in SEARCHABLE)


def _bad_condition(key: str, space: Space) -> tuple[str, str] | None:
    """Message and remedy of an invalid `when`; None if it is valid."""
    for parent, wanted in (space[key].when or {}).items():
        if parent not in space:
            return f"when: {parent} is not searched", "add it to the space or drop the condition"
        if levels(space[parent]) is None:
            return (
                f"when: {parent} is not countable",
                "use one with choices or whole numbers",
            )
        for option in options(wanted):
            if not contains(space[parent], option):
                return (
                    f"when: {parent} is never {shown(option)}",
                    "name values that are in the space",
                )
    if key in _ancestors(key, space):
        return "when: the conditions form a cycle", "drop one of them"
    return None


def _ancestors(key: str, space: Space) -> set[str]:
    ancestors: set[str] = set()
    waiting = [key]
    while waiting:
        for parent in space[waiting.pop()].when or {}:
            if parent in space and parent not in ancestors:
                ancestors.add(parent)
                waiting.append(parent)
    return ancestors


def _refused_values(key: str, space: Space, config: TrialConfig) -> Iterator[tuple[str, str]]:
    """Errors of the values that a field refuses or converts."""
    for active in activations(key, space, config):
        for value in probes(space[key]):
            if complaint := _refusal(key, value, active):
                yield complaint


def _refusal(key: str, value: Scalar, config: TrialConfig) -> tuple[str, str] | None:
    try:
        held = lookup(apply_values(config, {key: value}), key)[1]
    except BadConfig as error:
        first = error.problems[0]
        if isinstance(value, float) and first.message.endswith("is not a whole number"):
            return "takes whole numbers", "add type: int"
        if first.message == "unknown key":
            remedy = f"drop it (search.space.{key}=null), or make the kind its condition (when)"
            return "is not a setting of this kind", remedy
        return f"the field refuses {shown(value)}: {first.message}", first.remedy
    if not same(held, value):
        return f"the field reads {shown(value)} as {shown(held)}", f"write {shown(held)}"
    return None


def probes(dimension: Range | Choices) -> tuple[Scalar, ...]:
    """The values of a dimension to validate: every choice, or both ends."""
    if isinstance(dimension, Choices):
        return dimension.choices
    ends = (dimension.low, dimension.high)
    return tuple(map(int, ends)) if dimension.type == "int" else ends


def activations(key: str, space: Space, config: TrialConfig) -> Iterator[TrialConfig]:
    """Configurations in which a key is active: all combinations of the values that its conditions
    admit and of the kinds of its section, at most `_MOST_ACTIVATIONS`."""
    free = _kinds_above(key, space, config)
    when = {
        parent: options(wanted)
        for name in (key, *_ancestors(key, space))
        for parent, wanted in (space[name].when or {}).items()
        if parent in space
    }
    both = {**free, **when}
    for combination in islice(product(*both.values()), _MOST_ACTIVATIONS):
        with suppress(BadConfig):  # an error of the parent, reported there
            yield apply_values(config, dict(zip(both, combination, strict=True)))


def _kinds_above(key: str, space: Space, config: TrialConfig) -> dict[str, tuple[Scalar, ...]]:
    """The searched discriminators of the sections around a key, and their choices."""
    data = config.model_dump()
    return {
        other: dimension.choices
        for other, dimension in space.items()
        if other != key
        and isinstance(dimension, Choices)
        and key.startswith(other.rpartition(".")[0] + ".")
        and chooses_kind(TrialConfig, data, other)
    }


def _outside(key: str, space: Space, config: TrialConfig) -> Iterator[tuple[str, str]]:
    """The error of a value of trial 0 (the one in the YAML) that lies outside the space."""
    if not is_active(key, space, config):
        return
    present, value = lookup(config, key)
    section = key.rpartition(".")[0]
    if not present:
        yield f"{section} is off in the study's own configuration", f"write {section}: {{}}"
    elif not contains(space[key], value):
        yield (
            f"the study's own {key} {shown(value)} lies outside",
            "widen the range or change the value: trial 0 is the configuration as written",
        )


def sound(model: type[Model], values: object) -> tuple[Model | None, list[KeyPath]]:
    """The model of the valid part of the values, and the paths of the invalid ones."""
    rest = deepcopy(values)
    broken: list[KeyPath] = []
    for _ in range(3):  # a field first, then its section as a whole
        try:
            return validated(model, rest), broken
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False):
                path = real_path(detail["loc"], rest, missing=False)
                path = path[:2] if path[:1] == ("space",) else path
                if not path:
                    return None, broken
                broken.append(path)
                _drop(rest, path)
    return None, broken


def _drop(values: object, path: KeyPath) -> None:
    holder = value_at(values, path[:-1])
    if isinstance(holder, dict) and holds(holder, path[-1]):
        del holder[path[-1]]
    elif len(path) > 1:  # an item of a list invalidates the list
        _drop(values, path[:-1])
