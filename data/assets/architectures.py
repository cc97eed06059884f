"""What architectures of `transformers` can be, by the library's own tables.

They are read as text: the module that holds them loads torch, which takes seconds, and the process
that asks, a study's driver, has no other use for it.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

TABLES = Path("models", "auto", "modeling_auto.py")


@cache
def can_be(form: str) -> frozenset[str]:
    """The architectures, by `model_type`, that have a form, as in `MODEL_FOR_<form>_MAPPING_NAMES`;
    without a form those that have a plain network."""
    table = _tables()[f"MODEL_FOR_{form}_MAPPING_NAMES" if form else "MODEL_MAPPING_NAMES"]
    return frozenset(name for name, _ in ast.literal_eval(table.args[0]))


@cache
def _tables() -> dict[str, ast.Call]:
    """The tables that the library defines: each an ordered dictionary of a list of pairs."""
    library = find_spec("transformers")
    assert library is not None and library.origin is not None
    source = (Path(library.origin).parent / TABLES).read_text(encoding="utf-8")
    return {
        target.id: node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
