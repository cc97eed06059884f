"""Imports point one way: between layers, between rooms, and between modules."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each line may import the lines above it, and no other; rooms of one line not each other.
LAYERS = (
    ("conf",),
    ("data",),
    ("models",),
    ("tasks/suggest", "tasks/evaluate"),
    ("tasks/prepare", "tasks/train"),
    ("tasks/study", "tasks/packaging", "tasks/draft"),
    ("tasks/track", "tasks/registry", "tasks/explain"),
    ("tasks/scoring",),
    ("tasks/champion",),
    ("tasks/report", "tasks/compress"),
    ("tasks/compare", "tasks/monitor", "tasks/archive"),
    ("tasks/ensemble",),
    ("flows",),
)
# Within a room, by its folders; a room's own modules are its surface and its base.
INNER = {
    "conf": (("runtime",), ("schema",), ("loading",)),
    "data": (("assets", "encoding"), ("transforms",), ("sources",), ("loading",), ("preview",)),
    "models": (("networks", "estimators"), ("pretrained",), ("modules",)),
    "tasks/suggest": (("space",), ("surrogate",), ("acquisition", "analysis"), ("strategies",)),
    "tasks/prepare": (("cleaning",), ("splitting",), ("store",), ("encoding",)),
    "tasks/train": (("engine",), ("trial", "ray")),
    "tasks/report": (("figures",), ("sections",)),
    "flows": (("servers",), ("deployments",), ("study",), ("cli",)),
}

LIGHT = {"torch", "pytorch_lightning", "mlflow", "prefect"}
PURE = LIGHT | {"subprocess", "multiprocessing", "threading", "time", "datetime"}
# Room to the libraries that its modules may not import, at the top or inside a function.
LIBRARIES = {
    "conf": {"torch", "mlflow", "prefect", "skopt", "sklearn"},
    "data": {"prefect", "mlflow"},
    "models": {"prefect", "mlflow"},
    "tasks/suggest": PURE,
    "tasks/study": PURE,
    "tasks/evaluate": LIGHT,
    "tasks/report": LIGHT,
    "tasks/track": {"torch", "pytorch_lightning"},
    "tasks/prepare": LIGHT - {"prefect"},
    "tasks/train": {"mlflow", "prefect"},
}
ROOMS = ("conf", "data", "models", "tasks", "flows")
MODULES = {
    str(path.relative_to(ROOT)).removesuffix(".py").removesuffix("/__init__"): path
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
}


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a module imports, wherever it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)


def module_of(dotted: str) -> str | None:
    """The module of this project that holds a name; None where it is a library's."""
    parts = dotted.split(".")
    names = ("/".join(parts[:count]) for count in (len(parts), len(parts) - 1))
    return next((name for name in names if name in MODULES), None)


def rank(name: str, layers: tuple[tuple[str, ...], ...]) -> tuple[int, str] | None:
    """Height of the layer that holds a module or folder, and the layer's entry."""
    for height, rooms in enumerate(layers):
        for room in rooms:
            if f"{name}/".startswith(f"{room}/"):
                return height, room
    return None


def points_up(importer: str, target: str, layers: tuple[tuple[str, ...], ...]) -> bool:
    """Whether an import goes to a higher layer, or to another room of the same one."""
    here, there = rank(importer, layers), rank(target, layers)
    if here is None or there is None or here == there:
        return False
    return here[0] <= there[0]


def inner(name: str) -> Iterator[tuple[str, str]]:
    """A room with folders of its own that holds a module, and the module's path in it."""
    for room in INNER:
        if name.startswith(f"{room}/"):
            yield room, name.removeprefix(f"{room}/")


def offences(importer: str, source: str) -> list[str]:
    """The forbidden imports of a module, a line each."""
    found = []
    for line, name in imported(source):
        target = module_of(name)
        if target is None:
            rules = [room for room in LIBRARIES if f"{importer}/".startswith(f"{room}/")]
            rules += [room for room in LIBRARIES if room == f"{importer}.py"]
            rule = LIBRARIES[max(rules, key=len)] if rules else set()
            wrong = name.partition(".")[0] in rule
        else:
            wrong = points_up(importer, target, LAYERS)
            for room, here in inner(importer):
                if target.startswith(f"{room}/"):
                    there = target.removeprefix(f"{room}/")
                    wrong = wrong or points_up(here, there, INNER[room])
        if wrong:
            found.append(f"{importer}:{line} imports {name}")
    return found


@cache
def graph() -> Mapping[str, set[str]]:
    """Every module to the modules of this project that it imports."""
    return {
        name: {
            target
            for _, dotted in imported(path.read_text(encoding="utf-8"))
            if (target := module_of(dotted)) and target != name
        }
        for name, path in MODULES.items()
    }


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_one_way(module: str) -> None:
    assert offences(module, MODULES[module].read_text(encoding="utf-8")) == []


def test_every_folder_has_a_layer() -> None:
    folders = {str(path.parent.relative_to(ROOT)) for path in MODULES.values()} - {"tasks"}
    assert not [folder for folder in folders if rank(folder, LAYERS) is None]
    for room, layers in INNER.items():
        within = {each.removeprefix(f"{room}/") for each in folders if each.startswith(f"{room}/")}
        unknown = [each for each in within if rank(each, layers) is None]
        assert unknown == [], f"INNER[{room!r}] lacks them"


def test_no_modules_import_each_other() -> None:
    order = list(graphlib.TopologicalSorter(graph()).static_order())
    assert len(order) == len(MODULES)


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("tasks/study/wrong", "from torch import nn"),
        ("tasks/study/wrong", "def late() -> None:\n    import flows.study.flow"),
        ("tasks/registry/wrong", "from tasks.scoring.predict import loaded_version"),
        ("tasks/train/wrong", "from tasks.prepare.run import prepare"),
        ("tasks/suggest/space/wrong", "from tasks.suggest.surrogate import gp"),
        ("tasks/report/figures/wrong", "from tasks.report.sections.head import Head"),
        ("conf/schema/wrong", "from conf.loading.load import load_study"),
    ],
)
def test_a_wrong_import_is_seen(importer: str, source: str) -> None:
    assert len(offences(importer, source)) == 1


def test_a_right_import_is_not() -> None:
    assert offences("flows/study/right", "import torch\nfrom tasks.study import journal") == []


def test_no_relative_imports() -> None:
    for name, path in MODULES.items():
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        assert not any(isinstance(node, ast.ImportFrom) and node.level for node in nodes), name
