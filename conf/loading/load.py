"""From the name of a study to the validated study: files, parents, overrides."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conf.loading.auto_space import auto_problems, spelled_out, with_auto
from conf.loading.introspect import shape_of
from conf.loading.merge import Layer
from conf.loading.overrides import overrides_layer
from conf.loading.validate import did_you_mean, field_problems, validated
from conf.loading.validate_space import space_problems
from conf.loading.yaml import read_yaml
from conf.runtime.errors import BadConfig, BadInput, ErrorDetail
from conf.schema.study import Study

SHIPPED = Path(__file__).resolve().parents[1]
OWN_STUDIES = "DENSE_STUDIES"
MAX_PARENTS = 16

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def load_study(
    name_or_path: str, overrides: Sequence[str] = (), *, allow_path: bool = False
) -> Study:
    """The study of that name, its parents merged in and the overrides on top.

    A name is looked up among the shipped studies and in the folder that `DENSE_STUDIES` names.

    Args:
        name_or_path: a study's name or, with `allow_path`, the path of a YAML file.
        overrides: `path=value`, as in `train.lr=1e-3`.
        allow_path: whether a path is taken; never where the caller is not trusted with files.

    Raises:
        BadInput: no such study.
        BadConfig: everything that is wrong with it, at once.
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
    """Name and file of every study that can be named, in alphabetical order.

    Raises:
        BadInput: an own study has the name of a shipped one, or the own folder is none.
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
        raise BadInput(f"{OWN_STUDIES} names {given}, which is no folder; correct or unset it")
    return {path.stem: path for path in folder.glob("*.yaml")}


def _find(name_or_path: str, allow_path: bool) -> Path:
    """The file of a study."""
    if _NAME.fullmatch(name_or_path):
        return _named(name_or_path, "study")
    if not allow_path:
        raise BadInput(
            f"{name_or_path[:80]!r} is no study's name; use lower-case letters, digits and dashes"
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
    """A file's layer over that of the study it extends.

    The name is never a parent's: it is the one in the file, else the file's own.
    """
    layer = _read(path)
    parent = layer.values.pop("extends", None)
    above = layer
    if parent is not None:
        above = layer.over(_parent(parent, path, layer, (*children, path)), shape_of(Study))
    name = layer.values.get("name", path.stem)
    return Layer({**above.values, "name": name}, {("name",): f"{shown(path)}:1", **above.places})


def _parent(parent: Any, path: Path, layer: Layer, children: tuple[Path, ...]) -> Layer:
    where = layer.places.get(("extends",), shown(path))
    if not isinstance(parent, str):
        remedy = "name one study, such as extends: base"
        raise BadConfig([ErrorDetail("extends", "takes one name", parent, remedy, where)])
    try:
        found = SHIPPED / "base.yaml" if parent == "base" else _named(parent, "study to extend")
    except BadInput as error:
        raise BadConfig([ErrorDetail("extends", str(error), parent, where=where)]) from error
    if found in children or len(children) >= MAX_PARENTS:
        raise BadConfig(
            [ErrorDetail("extends", f"{parent!r} extends this study itself", where=where)]
        )
    return _with_parents(found, children)


def _read(path: Path) -> Layer:
    """One file as a layer, each path with the line where it stands."""
    name = shown(path)
    document = read_yaml(path, name)
    if document.value is None:
        raise BadInput(f"{name} is empty; begin with: extends: base")
    if not isinstance(document.value, dict):
        raise BadInput(f"{name} holds no mapping of sections; begin with: extends: base")
    places = {key: f"{name}:{line}" for key, line in document.lines.items()}
    return _long_form(Layer(document.value, places))


def shown(path: Path) -> str:
    """A file as errors name it: from the working directory where it lies below it."""
    absolute = path.absolute()
    here = Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)


def _long_form(layer: Layer) -> Layer:
    """With `scale: log` for the short `log: true`, `{auto: true}` for `space: auto`, and further
    objectives as `also`: layers can be laid over each other."""

    def long(dimension: Any) -> Any:
        if not isinstance(dimension, dict) or not isinstance(dimension.get("log"), bool):
            return dimension
        rest = {key: value for key, value in dimension.items() if key != "log"}
        return {"scale": "log" if dimension["log"] else "linear", **rest}

    layer = spelled_out(layer)
    layer = _with_space(layer, lambda space: {key: long(given) for key, given in space.items()})
    return _with_objectives(layer)


def _with_objectives(layer: Layer) -> Layer:
    """With the first of several objectives as the objective, the others `also`; none where one is
    named alone, so that those of the study below are gone with its objective."""
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
    """Without the keys of the space that a child or an override set to null."""
    return _with_space(
        layer, lambda space: {key: given for key, given in space.items() if given is not None}
    )


def _with_space(layer: Layer, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Layer:
    search = layer.values.get("search")
    space = search.get("space") if isinstance(search, dict) else None
    if not isinstance(search, dict) or not isinstance(space, dict):
        return layer
    return Layer({**layer.values, "search": {**search, "space": change(space)}}, layer.places)
