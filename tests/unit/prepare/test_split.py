"""Splits: by group, by time, as given, by chance, and folds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from conf.runtime.errors import BadInput
from conf.schema.split import Grouped, InTime, Split
from tasks.prepare.splitting.split import TEST, TRAIN, VALIDATION, divide, grouped, in_time
from tests.unit.prepare.made import random_rows

ADAPTER = TypeAdapter(Split)


def divided(split: dict, **columns):
    rows = random_rows([30, 30])
    for name, values in columns.items():
        rows = rows.put(name, pa.array(values))
    return divide(rows, np.repeat([0, 1], 30), ADAPTER.validate_python(split), 1)


@pytest.mark.parametrize("held", [0, 2], ids=["first", "third"])
def test_a_fold_is_the_validation_part_and_the_division_is_the_same(held):
    parts, folds = divided({"by": "stratified", "folds": 4, "fold": held})
    first, same = divided({"by": "stratified", "folds": 4})
    assert folds is not None and same is not None and (folds == same).all()
    assert ((parts == VALIDATION) == (folds == held)).all()
    assert ((parts == TEST) == (first == TEST)).all()


@given(sizes=st.lists(st.integers(1, 20), min_size=4, max_size=40), seed=st.integers(0, 2**32))
def test_groups_stay_whole(sizes, seed):
    units = np.repeat(np.arange(len(sizes)), sizes)
    parts = grouped(units, Grouped(), seed)
    assert all(len(set(parts[units == unit])) == 1 for unit in range(len(sizes)))
    assert (parts == TEST).any()


@pytest.mark.parametrize("seed", range(20))
def test_one_large_group_is_trained_on_whatever_the_seed(seed: int) -> None:
    splits = grouped(np.repeat(np.arange(4), [910, 30, 30, 30]), Grouped(), seed)
    rows = np.bincount(splits, minlength=3)
    assert rows[TRAIN] == 910 and sorted(rows[1:].tolist()) == [30, 60]


@pytest.mark.parametrize("sizes", [[1] * 50, [40, 30, 20, 5, 3, 2], [7] * 9 + [1] * 37])
def test_shares_are_met_as_well_as_the_groups_allow(sizes: list[int]) -> None:
    units = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(5):
        shares = np.bincount(grouped(units, Grouped(), seed), minlength=3) / len(units)
        assert np.abs(shares - [0.6, 0.2, 0.2]).max() <= 0.1


def test_the_seed_decides_which_of_equal_groups_are_tested_on() -> None:
    units = np.repeat(np.arange(30), 4)
    assert len({grouped(units, Grouped(), seed).tobytes() for seed in range(5)}) == 5


def test_large_groups_are_dealt_to_folds_evenly() -> None:
    groups = [
        str(group) for group, size in enumerate([12, 12, 12, 6, 6, 6, 6]) for _ in range(size)
    ]
    _, folds = divided({"by": "group", "folds": 3, "test": 0.1}, group=groups)
    assert folds is not None and np.ptp(np.bincount(folds[folds >= 0])) <= 6


@given(times=st.lists(st.integers(0, 50), min_size=10, max_size=80))
def test_no_moment_of_the_future_is_trained_on(times):
    parts = in_time(np.array(times, dtype=object), InTime())
    moments = np.array(times)
    latest = {part: moments[parts == part] for part in (TRAIN, VALIDATION, TEST)}
    for before, after in ((TRAIN, VALIDATION), (VALIDATION, TEST), (TRAIN, TEST)):
        if len(latest[before]) and len(latest[after]):
            assert latest[before].max() < latest[after].min()


@pytest.mark.parametrize(
    ("split", "columns"),
    [
        ({"by": "random"}, {}),
        ({"by": "group"}, {"group": [str(n // 3) for n in range(60)]}),
        ({"by": "time"}, {"time": np.arange(60.0)}),
        ({"by": "given"}, {"part": ["train", "Val", "test"] * 20}),
    ],
    ids=["random", "group", "time", "given"],
)
def test_every_way_fills_three_parts(split, columns):
    parts, folds = divided(split, **columns)
    assert set(parts.tolist()) == {TRAIN, VALIDATION, TEST}
    assert folds is None


@pytest.mark.parametrize("by", ["stratified", "group"])
def test_folds_cover_all_rows_but_the_test_part(by):
    groups = [str(n // 2) for n in range(60)]
    parts, folds = divided({"by": by, "folds": 4}, group=groups)
    assert folds is not None
    assert ((folds == -1) == (parts == TEST)).all()
    assert ((folds == 0) == (parts == VALIDATION)).all()
    counts = np.bincount(folds[folds >= 0])
    assert counts.max() - counts.min() <= (2 if by == "stratified" else 4)
    if by == "group":
        assert all(len({folds[2 * n], folds[2 * n + 1]}) == 1 for n in range(30))


@pytest.mark.parametrize(
    ("split", "columns", "message"),
    [
        ({"by": "group"}, {}, r"data\.group"),
        ({"by": "time"}, {}, r"data\.time"),
        ({"by": "given"}, {"part": ["train", "dev", "holdout"] * 20}, "holdout"),
        ({"by": "given"}, {"part": ["train", "test"] * 30}, "validation split"),
        ({"by": "group"}, {"group": ["a", "b"] * 30}, "2 groups"),
        ({"by": "group", "folds": 50}, {"group": [str(n // 6) for n in range(60)]}, "50 folds"),
    ],
    ids=["no group", "no time", "unknown part", "empty part", "few groups", "few for folds"],
)
def test_what_cannot_be_divided_is_refused(split, columns, message):
    with pytest.raises(BadInput, match=message):
        divided(split, **columns)


@pytest.mark.parametrize("given", [{"fold": 1}, {"folds": 3, "fold": 3}], ids=["none", "too high"])
def test_a_fold_that_is_not_there_is_refused(given):
    with pytest.raises(ValueError, match="is not below folds"):
        ADAPTER.validate_python({"by": "random", **given})
