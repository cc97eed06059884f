"""Imports point one way: flows -> tasks -> models, data -> conf."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("conf", "data", "models", "tasks", "flows")

# Room, longest first, to what its modules may not import, at the top or inside a function.
FORBIDDEN = {
    "conf": {"data", "models", "tasks", "flows", "torch", "mlflow", "prefect", "skopt", "sklearn"},
    "data": {"models", "tasks", "flows", "prefect", "mlflow"},
    "models": {"tasks", "flows", "prefect", "mlflow"},
    "tasks": {"flows"},
    "tasks/suggest": {"flows", "torch", "pytorch_lightning", "mlflow", "prefect"}
    | {"subprocess", "multiprocessing", "threading", "time", "datetime"},
    "tasks/study": {"flows", "torch", "pytorch_lightning", "mlflow", "prefect"}
    | {"subprocess", "multiprocessing", "threading", "time", "datetime"},
    # The lock waits for a moment and is no part of what decides.
    "tasks/study/lock.py": {"flows", "torch", "pytorch_lightning", "mlflow", "prefect"},
    "tasks/evaluate": {"flows", "torch", "pytorch_lightning", "mlflow", "prefect"},
    "tasks/report": {"flows", "torch", "pytorch_lightning", "mlflow", "prefect"},
    "tasks/track": {"flows", "torch", "pytorch_lightning"},
    "tasks/prepare": {"flows", "torch", "pytorch_lightning", "mlflow"},
    "tasks/train": {"flows", "mlflow", "prefect"},
}
MODULES = sorted(
    str(path.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py")
)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module


def rule_of(module: str) -> set[str]:
    """What a module may not import, by the most exact room that names it."""
    rooms = [room for room in FORBIDDEN if f"{module}/".startswith(f"{room}/")]
    return FORBIDDEN[max(rooms, key=len)] if rooms else set()


def offences(module: str, source: Path) -> list[str]:
    """The forbidden imports of one module."""
    return [
        f"{module}:{line} imports {name}"
        for line, name in imported(source)
        if name.partition(".")[0] in rule_of(module)
    ]


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    assert offences(module, ROOT / module) == []


def test_a_wrong_import_would_be_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def late() -> None:\n    from torch import nn\n    import flows.study.flow\n")
    assert len(offences("tasks/study/wrong.py", wrong)) == 2
    assert len(offences("flows/wrong.py", wrong)) == 0


def test_no_relative_imports() -> None:
    for module in MODULES:
        nodes = ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8")))
        assert not any(isinstance(node, ast.ImportFrom) and node.level for node in nodes), module
