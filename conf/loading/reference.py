"""Every section and field of a study as a page, from the typed sections themselves.

python -m conf.loading.reference > docs/studies.md
python -m conf.loading.reference kinds      # the table of docs/models.md
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from conf.loading.auto_space import tables
from conf.loading.plan import describe
from conf.schema.model import MODEL_KINDS
from conf.schema.search import Search
from conf.schema.study import SEARCHABLE, Study

Schema = Mapping[str, Any]

NO_BOUND = 1e15
"""A bound that only says how large a number the machine can hold."""

HEAD = """# The study file

Made by `python -m conf.loading.reference > docs/studies.md`; do not edit it by hand.

A study is one YAML file. `extends: base` takes the defaults of `conf/base.yaml`; `extends: <name>`
takes another study's settings, and this file says what differs. `dense check FILE` says all that is
wrong with it at once, or prints the plan. Studies of your own are found by name in the folder that
`DENSE_STUDIES` names; the command line takes a path, too.

An **override** is `path=value`, the value read as YAML: `train.lr=1e-3`, `search.trials=64`,
`augment.rotate='{{degrees: 20}}'`, `search.space.train.lr.low=1e-5` (below `search.space` the
setting is named whole); a setting leaves the space by `search.space.model.width=null`.

Settings of {searchable} may be **searched**: name them in `search.space`.
The value that the file itself gives is trial 0, so it has to lie in the space. `space: auto` takes
the [usual ranges](#space-auto) for the model; `space: {{auto: true, train.lr: {{high: 1e-2}}}}` (or
`search.space=auto search.space.train.lr.high=1e-2`) changes or adds some.

What changes a result (name, seed, data, clean, split, augment, model, train, evaluate, space,
strategy, rungs) is the study's identity: a run with another one is refused under the same name. All
else may change from run to run.
"""

AUTO = """
## space: auto

These settings are searched, as far as the study's model and changes of rows have them. What the
space names besides is laid over them; null keeps a setting out. A range is widened to the study's
own value where that lies outside; a setting that the study leaves absent stays so. With several
kinds of model (`model.kind: {choices: [...]}` in the space) each setting goes with its kinds, and
with `model.tune` in it each with its way of tuning. The record holds the ranges themselves; later
versions of this table do not change a study that has begun.

| for | setting | values |
|---|---|---|"""


def page() -> str:
    """The page as Markdown."""
    schema = Study.model_json_schema()
    searchable = ", ".join(f"`{name}`" for name in SEARCHABLE)
    plain: list[tuple[str, Schema]] = []
    sections: list[tuple[str, Schema]] = []
    for name, given in schema["properties"].items():
        (sections if list(_models(given, schema)) else plain).append((name, given))
    required = schema.get("required", ())
    parts = [HEAD.format(searchable=searchable), "## The study itself\n", *_table(plain, required)]
    for name, given in sections:
        parts += [f"\n## {name}\n", _text(given), *_chapters(name, given, schema)]
    parts += [AUTO, *_ranges()]
    return "\n".join(parts) + "\n"


DATA_WORDS = {"image": "images", "table": "tables", "text": "texts", "pairs": "pairs of texts"}


def kinds() -> Iterator[str]:
    """The table of the kinds of model, a row of capabilities each; it stands in docs/models.md."""
    head = ("`model.kind`", "data", "auxiliary target", "privacy", "sharding", "compression")
    yield f"| {' | '.join(head)} | trained by |"
    yield "|---|---|---|---|---|---|---|"
    for kind, settings in MODEL_KINDS.items():
        row = settings.capabilities
        cells = [f"`{kind}`", ", ".join(DATA_WORDS[name] for name in row.data)]
        able = (row.auxiliary_target, row.private, row.sharded and row.epochs)
        cells += ["yes" if each else "no" for each in able]
        cells.append(", ".join(f"`{name}`" for name in row.recipes) or "none")
        cells.append("epochs" if row.epochs else "one call of scikit-learn")
        yield f"| {' | '.join(cells)} |"


def _ranges() -> Iterator[str]:
    """The table of `space: auto`, and after whom."""
    for table in tables().values():
        title = table["title"]
        for key, given in table["space"].items():
            dimension = Search(space={key: given}).space[key]
            yield f"| {title} | `{key}` | {describe(dimension)} |"
            title = ""
    yield "\nAfter:\n"
    for table in tables().values():
        yield f"- {table['title']}: {table['source']}"


def _chapters(path: str, given: Schema, schema: Schema) -> Iterator[str]:
    """A table of each kind that a setting may have, then those of the settings within."""
    models = list(_models(given, schema))
    key = _discriminator(given)
    for model in models:
        kind = model["properties"].get(key, {}).get("const") or model["title"].lower()
        if len(models) > 1:
            yield f"\n### {path}: {f'`{key}: {kind}`' if key else kind}\n\n{_text(model)}\n"
        else:
            yield f"\n### {path}\n\n{_text(model)}\n" if "." in path else ""
        yield from _table(model["properties"].items(), model.get("required", ()))
        for name, inner in model["properties"].items():
            if list(_models(inner, schema)):
                yield from _chapters(f"{path}.{name}", inner, schema)


def _table(fields: Any, required: Any) -> Iterator[str]:
    yield "| setting | values | default | meaning |"
    yield "|---|---|---|---|"
    for name, given in fields:
        cells = (f"`{name}`", _values(given), _default(name, given, required), _text(given))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(name: str, given: Schema, required: Any) -> str:
    if name in required:
        return "required"
    default = given.get("default")
    if isinstance(default, dict) or "default" not in given:
        return ""
    return "" if default in (None, []) else f"`{json.dumps(default)}`".replace('"', "")


def _values(given: Schema) -> str:
    """What a setting may be, in words."""
    if "const" in given:
        return f"`{given['const']}`"
    if "enum" in given:
        return ", ".join(f"`{value}`" for value in given["enum"])
    if "$ref" in given or "oneOf" in given or "patternProperties" in given:
        return "see below"
    if "anyOf" in given:
        if {"boolean", "number", "string"} <= {each.get("type") for each in given["anyOf"]}:
            return "any value"
        return " or ".join(dict.fromkeys(_values(each) for each in _real(given)))
    kind = str(given.get("type", "anything"))
    if kind == "array" and "$ref" in given["items"]:
        return "list, see below"
    if kind == "array":
        return f"list of {_values(given.get('items', {}))}"
    if kind == "object":
        return f"mapping to {_values(given['additionalProperties'])}"
    names = {"integer": "whole number", "string": "text", "boolean": "true, false"}
    return names.get(kind, kind) + _bounds(given)


def _bounds(given: Schema) -> str:
    words = {
        "minimum": "at least", "exclusiveMinimum": "above",
        "maximum": "at most", "exclusiveMaximum": "below",
    }  # fmt: skip
    told = [(word, given[key]) for key, word in words.items() if key in given]
    return "".join(f", {word} {bound:,}" for word, bound in told if abs(bound) < NO_BOUND)


def _real(given: Schema) -> list[Schema]:
    """The alternatives but null: a setting that is absent is off."""
    return [each for each in given["anyOf"] if each.get("type") != "null"]


def _models(given: Schema, schema: Schema) -> Iterator[Schema]:
    """The sections that a setting may hold, also in a list or under keys."""
    if "$ref" in given:
        found = schema["$defs"][given["$ref"].rpartition("/")[2]]
        if "properties" in found:
            yield found
    for each in (*given.get("oneOf", ()), *given.get("anyOf", ())):
        yield from _models(each, schema)
    for each in (given.get("items"), *given.get("patternProperties", {}).values()):
        if each:
            yield from _models(each, schema)


def _discriminator(given: Schema) -> str:
    for each in (given, *given.get("anyOf", ())):
        if "discriminator" in each:
            return str(each["discriminator"]["propertyName"])
    return ""


def _text(given: Schema) -> str:
    return re.sub(r"\s+", " ", given.get("description", ""))


if __name__ == "__main__":
    sys.stdout.write("\n".join(kinds()) + "\n" if sys.argv[1:] == ["kinds"] else page())
