"""`space: auto`: recommended search ranges for a model.

The ranges are in `conf/auto.yaml`, each with its source. They replace the keyword while a study is
loaded, so that the record holds the ranges themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypedDict, cast

from conf.loading.introspect import shape_of
from conf.loading.merge import Layer, merge
from conf.loading.trial_values import apply_values, lookup, same
from conf.loading.validate_space import sound
from conf.loading.yaml import JsonObject, read_yaml
from conf.runtime.errors import ErrorDetail
from conf.schema.data import of_texts
from conf.schema.search import Search
from conf.schema.study import TRIAL_SECTIONS, TrialConfig

AUTO = "auto"
KIND = "model.kind"
OF_CLASSES = ("train.label_smoothing", "augment.oversample.share")
"""Settings that only apply to classification."""

Dimension = dict[str, Any]
"""A dimension as JSON, as in `search.space`."""
Space = dict[str, Dimension]
NamedSpace = Mapping[str, object]
"""The dimensions in the study's own file, not validated yet."""


class RangeTable(TypedDict):
    """Recommended ranges for one kind of model or group of settings."""

    title: str
    source: str
    space: Space


@cache
def tables() -> dict[str, RangeTable]:
    """The tables of `conf/auto.yaml` by name."""
    file = Path(__file__).resolve().parents[1] / "auto.yaml"
    return cast(dict[str, RangeTable], read_yaml(file, file.name).value)


def spelled_out(layer: Layer) -> Layer:
    """Expand `space: auto` to `{auto: true}`, so that layers can be merged."""
    search = layer.values.get("search")
    if not isinstance(search, dict) or search.get("space") != AUTO:
        return layer
    return Layer({**layer.values, "search": {**search, "space": {AUTO: True}}}, layer.places)


def auto_problems(layer: Layer) -> list[ErrorDetail]:
    """Problems of the keyword itself, in a layer where `space: auto` is `{auto: true}`."""
    given = _space(layer.values).get(AUTO)
    if given is None or isinstance(given, bool):
        return []
    where = layer.place(("search", "space", AUTO))
    return [ErrorDetail(f"search.space.{AUTO}", "takes true or false", given, where=where)]


def with_auto(layer: Layer) -> Layer:
    """The layer with `search.space.auto` replaced by its ranges.

    Dimensions of the space itself are merged over them; null removes one. A range is widened to the
    study's own value.
    """
    space = _space(layer.values)
    if AUTO not in space:
        return layer
    named = {key: given for key, given in space.items() if key != AUTO}
    trial = {name: layer.values[name] for name in TRIAL_SECTIONS if name in layer.values}
    config, _ = sound(TrialConfig, trial)
    if space[AUTO] is True and config is not None:
        ranges = cast(JsonObject, auto_space(config, named))
        merged = merge(ranges, named, shape_of(Search).child("space")) if named else ranges
        named = cast(JsonObject, merged)
    search = cast(JsonObject, layer.values["search"])
    values = {**layer.values, "search": {**search, "space": named}}
    return Layer(values, layer.places)


def auto_space(config: TrialConfig, named: NamedSpace) -> Space:
    """Ranges for a configuration, given the dimensions that its space names."""
    space: Space = {}
    kinds = _kinds(config, named)
    for kind in kinds:
        own = kind == config.model.kind
        changed = config if own else apply_values(config, {KIND: kind})
        for key, dimension in _of_kind(changed):
            ours = own or not key.startswith("model.")
            fitting = _fitting(key, dimension, changed, named) if ours else dict(dimension)
            if fitting is None:
                continue
            fitting["when"] = {KIND: [kind], **fitting.get("when", {})}
            space[key] = _either(key, space[key], fitting) if key in space else fitting
    return {key: _plainly(dimension, kinds) for key, dimension in space.items()}


def _space(values: JsonObject) -> JsonObject:
    search = values.get("search")
    space = search.get("space") if isinstance(search, dict) else None
    return space if isinstance(space, dict) else {}


def _kinds(config: TrialConfig, named: NamedSpace) -> list[str]:
    """Kinds of model that trials may have."""
    searched = named.get(KIND)
    if isinstance(searched, dict) and isinstance(searched.get("choices"), list):
        return [str(kind) for kind in searched["choices"]]
    return [config.model.kind]


def _of_kind(config: TrialConfig) -> Iterator[tuple[str, Dimension]]:
    """Dimensions for a kind of model, and for the augmentations that are on."""
    for name in config.model.capabilities.search:
        yield from _table(name)
        if of_texts(config.data) and f"{name}_texts" in tables():
            yield from _table(f"{name}_texts")
    yield from _table("augment")


def _table(name: str) -> Iterator[tuple[str, Dimension]]:
    yield from tables()[name]["space"].items()


def _fitting(
    key: str, dimension: Dimension, config: TrialConfig, named: NamedSpace
) -> Dimension | None:
    """A dimension adapted to a configuration; None if it does not apply.

    Settings that are absent (null) stay absent. Conditions on settings that are not searched are
    resolved.
    """
    there, value = lookup(config, key)
    if not there or value is None or _of_another_task(key, config):
        return None
    when: dict[str, list[object]] = {}
    for parent, wanted in dimension.get("when", {}).items():
        admitted = wanted if isinstance(wanted, list) else [wanted]
        searched = named.get(parent)
        if isinstance(searched, dict):
            when[parent] = [c for c in searched.get("choices", []) if c in admitted]
        elif lookup(config, parent)[1] not in admitted:
            return None
    if not all(when.values()):
        return None
    plain = {name: part for name, part in dimension.items() if name != "when"}
    widened = _widened(plain, value)
    return None if widened is None else {**widened, **({"when": when} if when else {})}


def _of_another_task(key: str, config: TrialConfig) -> bool:
    return config.data.task != "classification" and key in OF_CLASSES


def _widened(dimension: Dimension, value: Any) -> Dimension | None:
    """The dimension widened to a value; None if its scale cannot hold the value."""
    if "choices" in dimension:
        known = dimension["choices"]
        held = any(same(value, choice) for choice in known)
        return dimension if held else {**dimension, "choices": sorted([*known, value])}
    if dimension.get("scale") == "log" and value <= 0:
        return None
    low, high = min(dimension["low"], value), max(dimension["high"], value)
    return {**dimension, "low": low, "high": high}


def _either(key: str, one: Dimension, other: Dimension) -> Dimension:
    """A dimension shared by two kinds of model: the union of their ranges for `train`, the
    intersection for `model`, so that both accept it."""
    when = {**one["when"], KIND: [*one["when"][KIND], *other["when"][KIND]]}
    if "choices" in one:
        rest = [choice for choice in other["choices"] if choice not in one["choices"]]
        return {**one, "choices": [*one["choices"], *rest], "when": when}
    outer, inner = (min, max) if key.startswith("train.") else (max, min)
    low, high = outer(one["low"], other["low"]), inner(one["high"], other["high"])
    scale = one.get("scale", "linear") if low > 0 else "linear"
    return {**one, "low": low, "high": high, "scale": scale, "when": when}


def _plainly(dimension: Dimension, kinds: list[str]) -> Dimension:
    """A dimension without conditions that always hold."""
    when = {
        parent: wanted
        for parent, wanted in dimension.get("when", {}).items()
        if parent != KIND or set(wanted) != set(kinds)
    }
    plain = {name: part for name, part in dimension.items() if name != "when"}
    return {**plain, "when": when} if when else plain
