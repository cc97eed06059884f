"""The card: what was read, what each rule did, and what came out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from data.sources.rows import Rows
from tasks.prepare.cleaning.labels import PARTS
from tasks.prepare.splitting.split import Parts


def card(
    facts: dict[str, Any],
    rows: Rows,
    labels: npt.NDArray[Any],
    parts: Parts,
    classes: tuple[str, ...],
) -> dict[str, Any]:
    """The card as JSON, to be read by people and by the models that are built from it."""
    removed = {rule["rule"]: rule["in"] - rule["out"] for rule in facts["rules"]}
    return {
        **{name: facts[name] for name in ("version", "kind", "task", "source", "split")},
        "rows": {
            "read": facts["read"],
            "kept": len(rows),
            **{part: int((parts == number).sum()) for number, part in enumerate(PARTS)},
        },
        "rules": facts["rules"],
        "missing": removed.get("missing", 0),
        "duplicates": removed.get("duplicates", 0),
        "leakage": facts["leakage"],
        "anonymity": facts["anonymity"],
        "folds": _folds(rows),
        **_answer(labels, parts, classes),
        **({"second": _second(facts["second"], rows, parts)} if "second" in facts else {}),
        "shape": list(rows.shape),
        "inputs": facts["inputs"],
    }


def _answer(labels: npt.NDArray[Any], parts: Parts, classes: tuple[str, ...]) -> dict[str, Any]:
    """What there is to be told, and how often; of numbers how they lie."""
    each = enumerate(PARTS)
    return {
        "classes": list(classes),
        "counts": {part: _counts(labels[parts == number], classes) for number, part in each},
        **({"target": _spread(labels[parts == 0])} if labels.dtype.kind == "f" else {}),
    }


def _second(facts: dict[str, Any], rows: Rows, parts: Parts) -> dict[str, Any]:
    """The same of the second answer, and its name."""
    found = _answer(rows.table.column("second").to_numpy(), parts, facts["classes"])
    return {"name": facts["name"], **found}


def _folds(rows: Rows) -> list[int] | None:
    """Rows of each fold; None without folds."""
    if not rows.has("fold"):
        return None
    found = rows.table.column("fold").to_numpy()
    return [int(many) for many in np.bincount(found[found >= 0])]


def _spread(targets: npt.NDArray[np.float64]) -> dict[str, float]:
    """How the numbers to be predicted lie in the training part; models learn them in deviations
    from their mean."""
    deviation = float(targets.std())
    return {
        "mean": float(targets.mean()),
        "deviation": deviation if deviation > 0 else 1.0,
        "low": float(targets.min()),
        "high": float(targets.max()),
    }


def _counts(labels: npt.NDArray[np.int64], classes: tuple[str, ...]) -> dict[str, int]:
    """Rows of each class, or label."""
    if not classes:
        return {}
    several = labels.ndim == 2
    found = labels.sum(axis=0) if several else np.bincount(labels, minlength=len(classes))
    return {name: int(found[number]) for number, name in enumerate(classes)}
