"""Load a study: its file, the studies that it extends, overrides; validated as a whole."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import JsonValue

from conf.loading.auto_space import auto_problems, spelled_out, with_auto
from conf.loading.introspect import shape_of
from conf.loading.merge import Layer
from conf.loading.overrides import overrides_layer
from conf.loading.validate import did_you_mean, field_problems, validated
from conf.loading.validate_space import space_problems
from conf.loading.yaml import JsonObject, read_yaml
from conf.runtime.errors import BadConfig, BadInput, ErrorDetail
from conf.schema.study import Study

SHIPPED = Path(__file__).resolve().parents[1]
OWN_STUDIES = "DENSE_STUDIES"
MAX_PARENTS = 16

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def load_study(
    name_or_path: str, overrides: Sequence[str] = (), *, allow_path: bool = False
) -> Study:
    """Load a study by name, merged over the studies that it extends, with overrides.

    Names are looked up among the shipped studies and in the folder that `DENSE_STUDIES` names.

    Args:
        name_or_path: A study's name or, with `allow_path`, the path of a YAML file.
        overrides: Texts `path=value`, as in `train.lr=1e-3`.
        allow_path: Whether paths are accepted; only for callers that may read any file.

    Raises:
        BadInput: There is no such study.
        BadConfig: The study is not valid; it lists all errors.
    """
    layer = _with_parents(_find(name_or_path, allow_path), ())
    above, problems = overrides_layer(overrides)
    layer = _long_form(above).over(layer, shape_of(Study))
    problems.extend(auto_problems(layer))
    layer = _without_removed(with_auto(layer))
    problems.extend(field_problems(Study, layer))
    problems.extend(space_problems(layer))
    if problems:
        raise BadConfig(problems)
    return validated(Study, layer.values)


def study_names() -> dict[str, Path]:
    """Name and file of every study that can be loaded by name, in alphabetical order.

    Raises:
        BadInput: A study in the folder of `DENSE_STUDIES` has the name of a shipped one, or that
            folder does not exist.
    """
    shipped = {path.stem: path for path in (SHIPPED / "studies").glob("*.yaml")}
    own = _own_studies()
    if twice := sorted(shipped.keys() & own.keys()):
        raise BadInput(
            f"{own[twice[0]]} has the name of a shipped study; give the file another name"
        )
    return dict(sorted({**shipped, **own}.items()))


def _own_studies() -> dict[str, Path]:
    given = os.environ.get(OWN_STUDIES)
    if not given:
        return {}
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise BadInput(f"{OWN_STUDIES} names {given}, which is not a folder; correct or unset it")
    return {path.stem: path for path in folder.glob("*.yaml")}


def _find(name_or_path: str, allow_path: bool) -> Path:
    """The file of a study."""
    if _NAME.fullmatch(name_or_path):
        return _named(name_or_path, "study")
    if not allow_path:
        raise BadInput(
            f"{name_or_path[:80]!r} is not the name of a study; "
            "use lower-case letters, digits and dashes"
        )
    path = Path(name_or_path)
    if not path.is_file():
        raise BadInput(f"there is no file {name_or_path!r}; name a study or a YAML file")
    return path


def _named(name: str, what: str) -> Path:
    known = study_names()
    if name not in known:
        raise BadInput(f"there is no {what} {name!r}; {did_you_mean(name, known)}")
    return known[name]


def _with_parents(path: Path, children: tuple[Path, ...]) -> Layer:
    """The layer of a file, merged over those of the studies that it extends.

    A study's name is not inherited: it is given in the file, else it is the file's stem.
    """
    layer = _read(path)
    parent = layer.values.pop("extends", None)
    above = layer
    if parent is not None:
        above = layer.over(_parent(parent, path, layer, (*children, path)), shape_of(Study))
    name = layer.values.get("name", path.stem)
    return Layer({**above.values, "name": name}, {("name",): f"{shown(path)}:1", **above.places})


def _parent(parent: JsonValue, path: Path, layer: Layer, children: tuple[Path, ...]) -> Layer:
    where = layer.places.get(("extends",), shown(path))
    if not isinstance(parent, str):
        remedy = "name one study, such as extends: base"
        raise BadConfig([ErrorDetail("extends", "takes one name", parent, remedy, where)])
    try:
        file = SHIPPED / "base.yaml" if parent == "base" else _named(parent, "study to extend")
    except BadInput as error:
        raise BadConfig([ErrorDetail("extends", str(error), parent, where=where)]) from error
    if file in children or len(children) >= MAX_PARENTS:
        raise BadConfig(
            [ErrorDetail("extends", f"{parent!r} extends this study in turn", where=where)]
        )
    return _with_parents(file, children)


def _read(path: Path) -> Layer:
    """One file as a layer, with the line of each value."""
    name = shown(path)
    document = read_yaml(path, name)
    if document.value is None:
        raise BadInput(f"{name} is empty; begin with: extends: base")
    if not isinstance(document.value, dict):
        raise BadInput(f"{name} is not a mapping of sections; begin with: extends: base")
    places = {key: f"{name}:{line}" for key, line in document.lines.items()}
    return _long_form(Layer(document.value, places))


def shown(path: Path) -> str:
    """A file's name in errors: relative to the working directory if it is inside."""
    absolute = path.absolute()
    here = Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)


def _long_form(layer: Layer) -> Layer:
    """Expand the short forms, so that layers can be merged: `log: true`, `space: auto`, and a list
    of objectives."""

    def long(dimension: JsonValue) -> JsonValue:
        if not isinstance(dimension, dict) or not isinstance(dimension.get("log"), bool):
            return dimension
        rest = {key: value for key, value in dimension.items() if key != "log"}
        return {"scale": "log" if dimension["log"] else "linear", **rest}

    layer = spelled_out(layer)
    layer = _with_space(layer, lambda space: {key: long(given) for key, given in space.items()})
    return _with_objectives(layer)


def _with_objectives(layer: Layer) -> Layer:
    """Split a list of objectives into `objective` and `also`.

    A single objective sets `also` to an empty list, which replaces that of the parent study.
    """
    evaluate = layer.values.get("evaluate")
    if not isinstance(evaluate, dict) or "objective" not in evaluate or "also" in evaluate:
        return layer
    given = evaluate["objective"]
    first, *others = given if isinstance(given, list) and given else [given]
    path = ("evaluate", "objective")
    places = dict(layer.places)
    if path in places:
        places |= {("evaluate", "also", index): places[path] for index in range(len(others))}
        places["evaluate", "also"] = places[path]
    values = {**layer.values, "evaluate": {**evaluate, "objective": first, "also": others}}
    return Layer(values, places)


def _without_removed(layer: Layer) -> Layer:
    """Drop the keys of the space that a study or an override sets to null."""
    return _with_space(
        layer, lambda space: {key: given for key, given in space.items() if given is not None}
    )


def _with_space(layer: Layer, change: Callable[[JsonObject], JsonObject]) -> Layer:
    search = layer.values.get("search")
    space = search.get("space") if isinstance(search, dict) else None
    if not isinstance(search, dict) or not isinstance(space, dict):
        return layer
    return Layer({**layer.values, "search": {**search, "space": change(space)}}, layer.places)
