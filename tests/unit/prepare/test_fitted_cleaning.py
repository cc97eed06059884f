"""Cleaning before the split, the split itself, and the leakage check."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from conf.schema.clean import Clean
from conf.schema.split import Stratified
from tasks.prepare.cleaning.rules import clean_rows
from tasks.prepare.splitting.leakage import shared
from tasks.prepare.splitting.split import TEST, TRAIN, VALIDATION, stratified
from tests.unit.prepare.made import table_rows

COUNTS = st.lists(st.integers(3, 60), min_size=1, max_size=6)


def test_each_rule_reports_rows_in_and_out():
    features = np.array([[1, 2], [1, 2], [3, np.nan], [4, 5], [6, 7]])
    rows = table_rows(features, ["a", "a", "a", None, "b"])
    kept, reports = clean_rows(rows, Clean())
    assert kept.table.column("id").to_pylist() == [0, 4]
    found = {report.rule: (report.rows_in, report.rows_out) for report in reports}
    assert found["missing"] == (5, 3)
    assert found["duplicates"] == (3, 2)
    assert any("row 1" in example for report in reports for example in report.examples)


def test_rules_that_are_off_keep_every_row():
    rows = table_rows(np.array([[1, 2], [1, 2], [3, np.nan]]), ["a", "b", "a"])
    kept, _ = clean_rows(rows, Clean(duplicates="keep", missing="keep"))
    assert len(kept) == 3


@given(counts=COUNTS, seed=st.integers(0, 2**63 - 1), share=st.floats(0.05, 0.4))
def test_every_class_is_in_every_part_in_its_share(counts, seed, share):
    labels = np.repeat(np.arange(len(counts)), counts)
    parts = stratified(labels, Stratified(validation=share, test=share), seed)
    for label, count in enumerate(counts):
        mine = np.bincount(parts[labels == label], minlength=3)
        assert mine.min() >= 1
        assert mine[TEST] == max(1, round(count * share))
        assert mine[TRAIN] + mine[VALIDATION] + mine[TEST] == count


def test_the_split_is_a_function_of_the_seed():
    labels = np.repeat(np.arange(3), 50)
    first, again, other = (stratified(labels, Stratified(), seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_content_in_two_parts_is_found_and_twice_in_one_is_not():
    hashes = np.array(["a", "b", "a", "c", "c"])
    assert shared(hashes, np.array([0, 1, 0, 2, 2])) == 0
    assert shared(hashes, np.array([0, 1, 1, 2, 0])) == 2
