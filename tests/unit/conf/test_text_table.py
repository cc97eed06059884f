"""Plain text tables."""

from __future__ import annotations

from conf.runtime.text_table import text_table


def test_columns_are_aligned_and_lines_have_no_trailing_spaces() -> None:
    rows = [("", "rows", "accuracy"), ("a.csv", "7", "0.9"), ("b", "1,000", "")]
    assert text_table(rows) == ["       rows   accuracy", "a.csv  7      0.9", "b      1,000"]


def test_a_table_without_rows_has_no_lines() -> None:
    assert text_table([]) == []
