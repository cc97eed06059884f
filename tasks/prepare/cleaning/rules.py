"""Cleaning rules that need nothing fitted: missing values, labels, duplicates, rare classes.

A rule takes rows and gives the rows that stay and a report. None looks at more than the row itself
or at rows like it, so none carries anything from one part to another.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from conf.schema.clean import Clean
from data.sources.rows import CONTENT, Kind, Report, Rows, describe, drop
from tasks.prepare.cleaning.near_duplicates import near_duplicates
from tasks.prepare.cleaning.privacy import protect
from tasks.prepare.cleaning.text import drop_languages, drop_lengths, mend_encoding

HASH = "hash"
"""Column of `content_hashes`."""

Rule = Callable[[Rows, Clean], tuple[Rows, Report]]


def content_hashes(rows: Rows) -> npt.NDArray[np.str_]:
    """Hash of each row: of a table over every column, else over its content without the label.

    A table's rows of equal features may be different cases; only what is equal in every column of
    the file, the label and columns that are not read included, is the same row twice.
    """
    if rows.has("row"):
        return rows.strings("row").astype(np.str_)
    contents = _contents(rows)
    if rows.kind == "table":
        labels = map(str, rows.labels())
        contents = (row + label.encode() for row, label in zip(contents, labels, strict=True))
    return np.array(
        [hashlib.blake2b(content, digest_size=16).hexdigest() for content in contents],
        dtype=np.str_,
    )


def _contents(rows: Rows) -> Iterator[bytes]:
    """What a model sees of each row, the label aside."""
    if rows.kind == "image":
        yield from (image.tobytes() for block in rows.blocks() for image in block)
    elif rows.kind == "table":
        yield from (row.tobytes() for row in rows.features())
    else:
        columns = [rows.strings(name) for name in CONTENT[rows.kind]]
        yield from ("\0".join(texts).encode() for texts in zip(*columns, strict=True))


def drop_missing(rows: Rows, clean: Clean) -> tuple[Rows, Report]:
    """Drop rows without a target or a text and, with `clean.missing` drop, without a value."""
    mask = np.zeros(len(rows), dtype=bool)
    if rows.kind == "table" and clean.missing == "drop":
        mask |= np.isnan(rows.features()).any(axis=1)
    if rows.kind in ("text", "pairs"):
        for name in CONTENT[rows.kind]:
            mask |= rows.table.column(name).is_null().to_numpy()
    for name in ("label", "second"):
        if rows.has(name):
            mask |= rows.table.column(name).is_null().to_numpy()
    return drop(rows, mask, "missing", "a value or the label is missing")


def drop_labels(rows: Rows, clean: Clean) -> tuple[Rows, Report]:
    """Drop rows with a label that is not in `clean.labels`."""
    mask = np.zeros(len(rows), dtype=bool)
    if clean.labels and rows.has("label"):
        mask = ~np.isin(rows.labels().astype(str), clean.labels)
    return drop(rows, mask, "impossible labels", "its label is not in clean.labels")


def drop_duplicates(rows: Rows, clean: Clean) -> tuple[Rows, Report]:
    """Drop rows that equal an earlier row (`content_hashes`)."""
    rows = rows.put(HASH, pa.array(content_hashes(rows).tolist(), type=pa.string()))
    mask = np.ones(len(rows), dtype=bool)
    _, first = np.unique(rows.strings(HASH).astype(str), return_index=True)
    mask[first] = False
    if clean.duplicates == "keep":
        mask[:] = False
    return drop(rows, mask, "duplicates", "the same content as an earlier row")


def flag_contradictions(rows: Rows, _: Clean) -> tuple[Rows, Report]:
    """Count rows whose content occurs with more than one label; they stay."""
    rule = "contradicting labels"
    if not len(rows) or not rows.has("label") or rows.table.column("label").type != pa.string():
        return rows, Report(rule, len(rows), len(rows))
    known: dict[bytes, int] = {}
    contents = np.array([known.setdefault(each, len(known)) for each in _contents(rows)])
    labels = np.unique(rows.labels().astype(str), return_inverse=True)[1]
    distinct = np.unique(np.stack([contents, labels], axis=1), axis=0)
    mask = (np.bincount(distinct[:, 0]) > 1)[contents]
    examples = describe(rows, mask, "an equal row has another label")
    return rows, Report(rule, len(rows), len(rows), examples=examples, flagged=int(mask.sum()))


def drop_near(rows: Rows, clean: Clean) -> tuple[Rows, Report]:
    """Drop near duplicates of earlier rows (`near_duplicates`)."""
    if clean.near is None or clean.near.action == "refuse":
        return rows, Report("near duplicates", len(rows), len(rows))
    mask = near_duplicates(rows, clean.near) >= 0
    return drop(rows, mask, "near duplicates", "almost the content of an earlier row")


def drop_small_classes(rows: Rows, clean: Clean) -> tuple[Rows, Report]:
    """Drop rows of classes below `clean.class_floor`, those of the auxiliary target included."""
    mask = np.zeros(len(rows), dtype=bool)
    for name in ("label", "second"):
        if rows.has(name) and rows.table.column(name).type == pa.string():
            labels = rows.strings(name)
            counts = Counter(labels)
            mask |= np.array([counts[label] < clean.class_floor for label in labels], dtype=bool)
    return drop(rows, mask, "class floor", "its class has too few rows")


BEFORE: tuple[Rule, ...] = (drop_missing, drop_labels)
TEXTS: tuple[Rule, ...] = (mend_encoding, drop_lengths, drop_languages, protect)
AFTER: tuple[Rule, ...] = (flag_contradictions, drop_duplicates, drop_near, drop_small_classes)


def rules_for(kind: Kind) -> tuple[Rule, ...]:
    """The rules for a kind of data, in order; duplicates come after what changes rows."""
    return (*BEFORE, *(TEXTS if kind in ("text", "pairs") else ()), *AFTER)


def clean_rows(rows: Rows, clean: Clean) -> tuple[Rows, list[Report]]:
    """Apply every rule in order; each gives a report, also where it removed nothing."""
    reports = list(rows.reports)
    for rule in rules_for(rows.kind):
        rows, report = rule(rows, clean)
        reports.append(report)
    return rows, reports
