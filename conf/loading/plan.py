"""The plan of a study: the output of `dense check`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from conf.loading.digests import study_digest
from conf.loading.introspect import differing, shape_of
from conf.loading.trial_values import size, values_of
from conf.runtime.home import Home
from conf.runtime.text_table import text_table
from conf.schema.base import Section
from conf.schema.evaluate import direction_of
from conf.schema.search import Choices, Range
from conf.schema.study import Study

Line = tuple[str, str]
"""A label and its text."""
LONGEST = 60
"""Most characters of a value that are shown."""


def plan(study: Study, home: Home | None = None) -> list[Line]:
    """Labelled lines: identity, data, model, space, budget, and the paths to be written."""
    return [
        ("study", f"{study.name}  (digest {study_digest(study)[:12]}, seed {study.seed})"),
        ("data", _section(study, "data")),
        ("split", _section(study, "split")),
        ("model", _section(study, "model")),
        ("objective", f"{study.evaluate.objective}, to {study.evaluate.direction}"),
        *[("", f"{name}, to {direction_of(name)}") for name in study.evaluate.also],
        *[("", f"keeping {text}") for text in study.evaluate.constraints],
        ("space", _space_size(study)),
        *[("", line) for line in _dimensions(study)],
        ("budget", _budget(study)),
        *[("", line) for line in _early_end(study)],
        *(_written(study, home) if home else []),
    ]


def plan_text(study: Study, home: Home | None = None) -> str:
    """The plan as plain text, with labels in a column."""
    return "\n".join(text_table(plan(study, home)))


def describe(dimension: Range | Choices) -> str:
    """A dimension in words."""
    if isinstance(dimension, Choices):
        text = f"one of {', '.join(_shown(choice) for choice in dimension.choices)}"
    else:
        text = f"{dimension.low:g} to {dimension.high:g}"
        text += ", whole numbers" if dimension.type == "int" else ""
        text += f", in steps of {dimension.step:g}" if dimension.step else ""
        text += f", {dimension.scale} scale" if dimension.scale != "linear" else ""
    when = (dimension.when or {}).items()
    return text + "".join(f", when {parent} is {_wanted(wanted)}" for parent, wanted in when)


def _section(study: Study, name: str) -> str:
    """A section: its kind, and all settings that differ from the defaults."""
    section, shape = getattr(study, name), shape_of(Study).child(name)
    what = _what(section)
    given = {**what, **differing(section, shape), **what}
    kind = given.pop(str(shape.discriminator))
    return ", ".join([str(kind), *(f"{key} {_brief(value)}" for key, value in _leaves(given))])


def _what(section: Section) -> dict[str, str]:
    """Name of the data or of the weights, shown even if it is the default."""
    weights = getattr(section, "weights", None)
    if weights is not None:
        return {"weights": getattr(weights, "path", None) or weights.name}
    name = getattr(section, "name", None)
    return {"name": name} if name else {}


def _leaves(given: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted key and value of each setting; an empty section is `on`."""
    for key, value in given.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, "on" if value == {} else value


def _brief(value: object) -> str:
    """A value on one line, shortened."""
    text = " ".join((json.dumps(value) if isinstance(value, list) else _shown(value)).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _space_size(study: Study) -> str:
    space = study.search.space
    count = size(space)
    many = "no end of configurations" if count is None else f"at most {count:,} configurations"
    return f"{len(space)} setting{'s' * (len(space) != 1)}, {many}"


def _dimensions(study: Study) -> list[str]:
    first = values_of(study, study.trial_config)
    return text_table(
        [
            (
                key,
                describe(dimension)
                + (f"  (trial 0: {_shown(first[key])})" if key in first else ""),
            )
            for key, dimension in study.search.space.items()
        ]
    )


def _budget(study: Study) -> str:
    search = study.search
    batch = "one for each slot" if search.batch_size is None else f"{search.batch_size}"
    wait = "; each batch waits for the last one" if search.synchronous else ""
    return (
        f"{search.trials} trials of at most {study.train.epochs} epochs; {search.strategy}, "
        f"batch size {batch}{wait}{_rungs(study)}{_helped(study)}"
    )


def _rungs(study: Study) -> str:
    """Rungs at which trials are promoted."""
    rungs = study.search.rungs
    if rungs is None:
        return ""
    levels = rungs.levels(study.train.epochs)[:-1]
    after = ", ".join(map(str, levels))
    brackets = f", {rungs.brackets} brackets" if rungs.brackets > 1 else ""
    return f"; rungs: of {rungs.factor} one goes on after epoch {after}{brackets}" if levels else ""


def _helped(study: Study) -> str:
    """Further options of the search."""
    search = study.search
    text = "; improvement per expected second" if search.cost_aware else ""
    return text + (f"; learns from {', '.join(search.learn_from)}" if search.learn_from else "")


def _early_end(study: Study) -> list[str]:
    stop, resources = study.stop, study.resources
    lines = [
        f"slots {resources.slots}; a trial has {resources.threads} "
        f"thread{'s' * (resources.threads > 1)} and at most {resources.trial_seconds:g} seconds"
    ]
    if stop.seconds is not None:
        lines.append(f"nothing new after {stop.seconds:g} seconds")
    if stop.gpu_hours is not None:
        lines.append(f"nothing new after {stop.gpu_hours:g} GPU-hours")
    if stop.money is not None:
        lines.append(
            f"nothing new once {stop.money:g} is spent, at {stop.cost_per_gpu_hour:g} a GPU-hour"
        )
    if stop.target is not None:
        lines.append(f"ends at {study.evaluate.objective} {stop.target:g}")
    if stop.plateau is not None:
        lines.append(f"ends after {stop.plateau} trials without a better one")
    if stop.regret is not None:
        lines.append(f"ends when less than {stop.regret:g} is left to gain")
    return lines


def _written(study: Study, home: Home) -> list[Line]:
    return [
        ("writes", f"{home.study(study.name)}  (journal)"),
        ("", f"{home.trials(study.name)}  (a folder a trial)"),
        ("", f"{home.report(study.name)}  (the page)"),
        ("", f"experiment {study.name}, registered model {study.registered_model}"),
    ]


def _wanted(wanted: object) -> str:
    return " or ".join(map(_shown, wanted)) if isinstance(wanted, tuple) else _shown(wanted)


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
