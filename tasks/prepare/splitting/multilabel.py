"""Multilabel targets: the label matrix, stratification and checks."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import numpy.typing as npt

from conf.runtime.errors import BadInput
from conf.runtime.types import Bools, Ints
from data.sources.rows import Report, Rows
from tasks.prepare.cleaning.labels import SPLITS, in_order

Matrix = npt.NDArray[np.int8]


def label_matrix(rows: Rows, floor: int) -> tuple[tuple[str, ...], Matrix, Report]:
    """The labels, and a 0/1 matrix of shape (rows, labels) of those that each row has.

    Labels of fewer rows than `floor` are left out; their rows stay.

    Raises:
        BadInput: there is no label, one of too few rows for all splits, or one that all rows have.
    """
    named: list[list[str]] = [json.loads(text) for text in rows.labels()]
    counts = Counter(name for names in named for name in names)
    labels = in_order({name for name, many in counts.items() if many >= floor})
    if not labels:
        raise BadInput("data: no row has a label; check data.label and data.label_separator")
    if few := [f"{name!r} ({counts[name]})" for name in labels if counts[name] < len(SPLITS)]:
        raise BadInput(
            f"data: too few rows of the labels {', '.join(few[:5])}: each split needs one; "
            "add rows, or raise clean.class_floor, which leaves such labels out"
        )
    if always := [name for name in labels if counts[name] == len(rows)]:
        raise BadInput(f"data: every row has the label {always[0]!r}; there is nothing to tell")
    place = {name: number for number, name in enumerate(labels)}
    matrix = np.zeros((len(rows), len(labels)), dtype=np.int8)
    for row, names in enumerate(named):
        matrix[row, [place[name] for name in names if name in place]] = 1
    lost = sorted(counts.keys() - place.keys())
    touched = sum(1 for names in named if not place.keys() >= set(names))
    report = Report("class floor", len(rows), len(rows), touched, tuple(map(repr, lost[:5])))
    return labels, matrix, report


def strata(matrix: Matrix) -> Ints:
    """Index of each row's rarest label, of shape (rows,), to stratify by.

    Rows without a label are alike, and with them those whose label is the rarest of too few.
    """
    counts = np.where(matrix, matrix.sum(axis=0), np.inf)
    rest = matrix.shape[1]
    rarest = np.where(matrix.any(axis=1), counts.argmin(axis=1), rest)
    many = np.bincount(rarest, minlength=rest + 1)
    return np.where(many[rarest] >= len(SPLITS), rarest, rest)


def check_trained_labels(matrix: Matrix, train: Bools, labels: tuple[str, ...]) -> None:
    """Refuse a split whose training rows all have a label, or all lack it.

    Raises:
        BadInput: names the label.
    """
    for name, column in zip(labels, matrix[train].T, strict=True):
        if column.min() == column.max():
            which = "every" if column.min() else "no"
            raise BadInput(
                f"split: {which} row of the training split has the label {name!r}; divide "
                "otherwise, or leave rare labels out with clean.class_floor"
            )
