"""Targets of the rows, and the checks that a model can be trained on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.runtime.errors import BadInput
from conf.runtime.types import Bools, Floats, Ints
from data.sources.rows import Report, Rows

WHOLE = re.compile(r"-?[0-9]+")
SPLITS = ("train", "validation", "test")


def target_values(rows: Rows, task: str) -> tuple[tuple[str, ...], npt.NDArray[Any]]:
    """Names of the classes, and the target of each row.

    Returns:
        The classes and int64 of shape (rows,); no classes and float64 in regression; no classes
        and zeros for text pairs.

    Raises:
        BadInput: all targets are the same, or a class has too few rows for the splits.
    """
    if task == "regression":
        return (), predicted_numbers(rows)
    if rows.kind == "pairs":
        return (), np.zeros(len(rows), dtype=np.int64)
    classes = class_names(rows)
    labels = encode(rows, classes)
    check_usable(classes, np.bincount(labels, minlength=len(classes)))
    return classes, labels


def auxiliary_target_values(rows: Rows, task: str) -> tuple[tuple[str, ...], npt.NDArray[Any]]:
    """As `target_values`, of the auxiliary target."""
    second = replace(rows.put("label", rows.table.column("second")), classes=())
    try:
        return target_values(second, task)
    except BadInput as error:
        raise BadInput(f"data.second: {error}") from error


def class_names(rows: Rows) -> tuple[str, ...]:
    """The classes in order: that of the source, else as `in_order`."""
    present = set(rows.table.column("label").to_pylist())
    if rows.classes:
        return tuple(name for name in rows.classes if name in present)
    return in_order(present)


def in_order(present: set[str]) -> tuple[str, ...]:
    """Whole numbers by value, then by their written form (`1`, `01`); other names by alphabet."""
    if all(WHOLE.fullmatch(name) for name in present):
        return tuple(sorted(present, key=lambda name: (int(name), name)))
    return tuple(sorted(present))


def encode(rows: Rows, classes: tuple[str, ...]) -> Ints:
    """Index of each row's label among the classes, of shape (rows,)."""
    position = {name: number for number, name in enumerate(classes)}
    return np.array([position[label] for label in rows.labels()], dtype=np.int64)


def predicted_numbers(rows: Rows) -> Floats:
    """The number to predict of each row, of shape (rows,).

    Raises:
        BadInput: all numbers are equal.
    """
    found = rows.table.column("label").to_numpy().astype(np.float64)
    if (found == found[0]).all():
        raise BadInput(f"data: every row has the number {found[0]:g}; there is nothing to predict")
    return found


def check_usable(classes: tuple[str, ...], counts: Ints) -> None:
    """Refuse data with one class, or with a class that cannot be in every split.

    Raises:
        BadInput: names the classes and the remedy.
    """
    if len(classes) < 2:
        raise BadInput(
            f"data: every row has the label {classes[0]!r}; a classifier needs at least two classes"
        )
    few = [f"{name!r} ({n})" for name, n in zip(classes, counts, strict=True) if n < len(SPLITS)]
    if few:
        raise BadInput(
            f"data: too few rows of the classes {', '.join(few[:5])}: each split needs one; "
            "add rows or drop these classes"
        )


SETTINGS = {
    "missing": "clean.missing",
    "impossible labels": "clean.labels",
    "wrong encoding": "clean.text.encoding",
    "length": "clean.text.ratio, shortest or longest",
    "language": "clean.text.languages",
    "duplicates": "clean.duplicates",
    "near duplicates": "clean.near",
    "class floor": "clean.class_floor",
}
"""The setting that decides which rows a cleaning rule removes, by the name of the rule."""


def check_left(rows: Rows, reports: Sequence[Report]) -> None:
    """Refuse data with fewer rows after cleaning than there are splits.

    Raises:
        BadInput: names the rules that removed rows, the most first.
    """
    if len(rows) >= len(SPLITS):
        return
    removed = sorted(reports, key=lambda report: report.rows_out - report.rows_in)
    told = [
        f"{report.rows_in - report.rows_out:,} by {report.rule}"
        + (f" (see {SETTINGS[report.rule]})" if report.rule in SETTINGS else "")
        for report in removed
        if report.rows_in > report.rows_out
    ]
    raise BadInput(
        f"data: {len(rows)} {'pairs' if rows.kind == 'pairs' else 'rows'} are left after cleaning, "
        f"and each of the three splits needs one; removed: {', '.join(told) or 'none, add rows'}"
    )


def check_trained(labels: Ints, train: Bools, classes: tuple[str, ...]) -> None:
    """Refuse a split that leaves a class without a training row.

    Raises:
        BadInput: names the class.
    """
    untrained = sorted(set(range(len(classes))) - set(labels[train].tolist()))
    if untrained:
        raise BadInput(
            f"split: no row of the class {classes[untrained[0]]!r} falls into the training split; "
            "divide otherwise, or drop the class with clean.labels"
        )
