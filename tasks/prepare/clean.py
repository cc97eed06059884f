"""Cleaning rules that look at one row or at equality; they run before the split.

A rule takes rows and gives the rows that stay and a report. None looks at more than the row itself
or at rows equal to it, so none carries anything from one part to another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from conf.clean import Clean
from data.rows import CONTENT, Report, Rows

EXAMPLES = 5

Mask = npt.NDArray[np.bool_]
Rule = Callable[[Rows, Clean], tuple[Rows, Report]]


def describe(rows: Rows, mask: Mask, why: str) -> tuple[str, ...]:
    """A few of the rows marked, each by its number in the source and the reason."""
    ids = rows.table.column("id").to_numpy()[mask][:EXAMPLES]
    return tuple(f"row {number}: {why}" for number in ids)


def drop(rows: Rows, mask: Mask, rule: str, why: str) -> tuple[Rows, Report]:
    """Remove the marked rows and report it."""
    kept = rows.keep(~mask)
    return kept, Report(rule, len(rows), len(kept), examples=describe(rows, mask, why))


def content_hashes(rows: Rows) -> npt.NDArray[np.str_]:
    """One hash a row over its content, whatever its label."""
    columns = []
    for name in CONTENT[rows.kind]:
        if rows.kind in ("image", "table"):
            values = rows.matrix(name)
            columns.append([row.tobytes() for row in values])
        else:
            columns.append([(text or "").encode() for text in rows.table.column(name).to_pylist()])
    return np.array(
        [
            hashlib.blake2b(b"\0".join(parts), digest_size=16).hexdigest()
            for parts in zip(*columns, strict=True)
        ]
    )


def missing_mask(rows: Rows) -> Mask:
    """Rows whose label or content is missing (null, or NaN in a table)."""
    mask = np.zeros(len(rows), dtype=bool)
    names = [*CONTENT[rows.kind], *(["label"] if "label" in rows.table.column_names else [])]
    for name in names:
        column = rows.table.column(name)
        mask |= column.is_null().to_numpy(zero_copy_only=False)
    if rows.kind == "table" and len(rows):
        mask |= np.isnan(rows.matrix("features")).any(axis=1)
    return mask


def drop_missing(rows: Rows, clean: Clean) -> tuple[Rows, Report]:
    """Rows with a missing value or label."""
    mask = missing_mask(rows)
    if clean.missing == "keep":
        mask &= False
    return drop(rows, mask, "missing", "a value or the label is missing")


def drop_duplicates(rows: Rows, clean: Clean) -> tuple[Rows, Report]:
    """Rows whose content an earlier row already has, whatever their label."""
    mask = np.ones(len(rows), dtype=bool)
    _, first = np.unique(content_hashes(rows), return_index=True)
    mask[first] = False
    if clean.duplicates == "keep":
        mask &= False
    return drop(rows, mask, "duplicates", "the same content as an earlier row")


RULES: tuple[Rule, ...] = (drop_missing, drop_duplicates)


def clean_rows(rows: Rows, clean: Clean) -> tuple[Rows, list[Report]]:
    """Apply every rule in turn; each reports, also when it found nothing."""
    reports = list(rows.reports)
    for rule in RULES:
        rows, report = rule(rows, clean)
        reports.append(report)
    return rows, reports
