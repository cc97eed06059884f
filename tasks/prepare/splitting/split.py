"""Split rows into train, validation and test, and the first two into folds."""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

from conf.runtime.errors import BadInput
from conf.runtime.types import Ints
from conf.schema.split import Given, Grouped, InTime, Random, Shares, Split, Stratified
from data.sources.rows import Rows

Splits = npt.NDArray[np.int8]
ALL = TRAIN, VALIDATION, TEST = 0, 1, 2
DROPPED = -1
PART_NAMES = {
    "train": TRAIN, "training": TRAIN, "validation": VALIDATION, "valid": VALIDATION,
    "val": VALIDATION, "dev": VALIDATION, "test": TEST,
}  # fmt: skip


def divide(rows: Rows, labels: Ints, settings: Split, seed: int) -> tuple[Splits, Splits | None]:
    """Split of each row, int8 of shape (rows,), and its fold (-1 in the test split) or None.

    A function of the rows, the settings and the seed alone.

    Raises:
        BadInput: the data lacks a column that the split needs, or has too few rows.
    """
    match settings:
        case Stratified():
            if rows.kind == "pairs":
                raise BadInput("split.by: pairs have no classes; set split.by=group or random")
            splits = stratified(labels, settings, seed)
            units = None
        case Random():
            splits = stratified(np.zeros_like(labels), settings, seed)
            units = None
        case Grouped():
            units = groups(rows)
            splits = grouped(units, settings, seed)
        case InTime():
            splits, units = in_time(_column(rows, "time"), settings), None
        case Given():
            splits, units = given(rows), None
    _check_parts(splits)
    if not isinstance(settings, Shares) or settings.folds is None:
        return splits, None
    kind = labels if isinstance(settings, Stratified) else np.zeros_like(labels)
    folds = fold(splits, kind, units, settings.folds, seed)
    held = np.where(folds == (settings.fold or 0), VALIDATION, TRAIN)
    return np.where(splits == TEST, TEST, held).astype(np.int8), folds


def stratified(labels: Ints, settings: Shares, seed: int) -> Splits:
    """Split every class in the same proportions; each has a row in every split."""
    splits = np.full(len(labels), TRAIN, dtype=np.int8)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        order = np.random.default_rng([seed, int(label)]).permutation(rows)
        test = max(1, round(len(rows) * settings.test))
        validation = max(1, min(round(len(rows) * settings.validation), len(rows) - test - 1))
        splits[order[:test]] = TEST
        splits[order[test : test + validation]] = VALIDATION
    return splits


def groups(rows: Rows) -> Ints:
    """Index of each row's group: `data.group`, or equal source texts of text pairs."""
    if rows.kind == "pairs" and not rows.has("group"):
        names = rows.strings("source")
    else:
        names = _column(rows, "group")
    if any(name is None for name in names):
        raise BadInput("split.by=group: there are rows without a group; fill in data.group")
    return np.unique(names.astype(str), return_inverse=True)[1].astype(np.int64)


def grouped(units: Ints, settings: Shares, seed: int) -> Splits:
    """Split whole groups so that the shares are met as well as the groups allow.

    Greedy, the largest group first, equal sizes in random order: a group goes to the split that
    lacks the largest part of its share among those that it fits into, and where it fits into none,
    to the one that lacks the most rows. Every split gets a group, whatever the seed.

    Args:
        units: group of each row, int64 of shape (rows,).
        settings: shares of validation and test.
        seed: of the split.

    Raises:
        BadInput: there are fewer than three groups.
    """
    sizes = np.bincount(units)
    if len(sizes) < len(ALL):
        raise BadInput(
            f"split.by=group: there are {len(sizes)} groups, and each of three splits needs one"
        )
    shares = np.array([1 - settings.validation - settings.test, settings.validation, settings.test])
    wanted = np.maximum(shares, 1e-9) * len(units)
    lacking, empty = wanted.copy(), set(ALL)
    split_of = np.full(len(sizes), TRAIN, dtype=np.int8)
    order = _largest_first(sizes, seed)
    for place, group in enumerate(order):
        open_splits = empty if len(order) - place <= len(empty) else ALL
        fitting = [split for split in open_splits if sizes[group] <= lacking[split]]
        relative = lacking / wanted if fitting else lacking
        chosen = max(fitting or open_splits, key=lambda split: (relative[split], -split))
        split_of[group] = chosen
        lacking[chosen] -= sizes[group]
        empty.discard(chosen)
    return split_of[units]


def _largest_first(sizes: Ints, seed: int) -> Ints:
    """Groups by size, equal sizes in random order."""
    shuffled = np.random.default_rng([seed, 1]).permutation(len(sizes))
    return shuffled[np.argsort(-sizes[shuffled], kind="stable")]


def in_time(times: npt.NDArray[np.object_], settings: InTime) -> Splits:
    """Split by time: the latest rows are the test split, those before them the validation split.

    Rows of the same time are in the same split, the later one.
    """
    moments = times.astype(np.float64)
    ordered = np.sort(moments)
    last = len(ordered) - 1
    test_from = ordered[min(last, round(len(ordered) * (1 - settings.test)))]
    validation_from = ordered[
        min(last, round(len(ordered) * (1 - settings.test - settings.validation)))
    ]
    splits = np.full(len(moments), TRAIN, dtype=np.int8)
    splits[moments >= validation_from] = VALIDATION
    splits[moments >= test_from] = TEST
    return splits


def given(rows: Rows) -> Splits:
    """The split that `data.part` names for each row."""
    names = [str(name or "").strip().lower() for name in _column(rows, "part")]
    if unknown := sorted({name for name in names if name not in PART_NAMES}):
        raise BadInput(
            f"data.part: {unknown[0]!r} is no part; the column says train, validation or test"
        )
    return np.array([PART_NAMES[name] for name in names], dtype=np.int8)


def fold(splits: Splits, labels: Ints, units: Ints | None, folds: int, seed: int) -> Splits:
    """Fold of each row outside the test split, -1 in it, of shape (rows,).

    Without groups the folds have equal shares of every class; groups stay whole, each in the fold
    with the fewest rows, the largest first.
    """
    out = np.full(len(splits), -1, dtype=np.int8)
    rows = np.flatnonzero(splits != TEST)
    grouped_rows = units is not None
    units = np.arange(len(splits)) if units is None else units
    members = np.unique(units[rows])
    if len(members) < folds:
        raise BadInput(f"split.folds: {len(members)} rows or groups are fewer than {folds} folds")
    if grouped_rows:
        sizes = np.bincount(units[rows])
        place = _even_folds(sizes, folds, np.random.default_rng([seed, 2]).permutation(members))
    else:
        random = np.random.default_rng([seed, 2])
        kind = dict(zip(units[rows], labels[rows], strict=True))
        dealt = sorted(random.permutation(members).tolist(), key=lambda unit: int(kind[unit]))
        place = {unit: number % folds for number, unit in enumerate(dealt)}
    out[rows] = [place[unit] for unit in units[rows]]
    return out


def _even_folds(sizes: Ints, folds: int, shuffled: Ints) -> dict[int, int]:
    """Fold of each group: the one with the fewest rows so far, the largest group first."""
    rows_of = [(0, number) for number in range(folds)]
    place = {}
    for unit in shuffled[np.argsort(-sizes[shuffled], kind="stable")].tolist():
        rows, number = heapq.heappop(rows_of)
        place[unit] = number
        heapq.heappush(rows_of, (rows + int(sizes[unit]), number))
    return place


def _column(rows: Rows, name: str) -> npt.NDArray[np.object_]:
    if not rows.has(name):
        raise BadInput(f"split.by needs a column: name it in data.{name}")
    return rows.strings(name)


def _check_parts(splits: Splits) -> None:
    for number, name in enumerate(("train", "validation", "test")):
        if not (splits == number).any():
            raise BadInput(f"split: no row falls into the {name} split; change the shares")
