"""Leakage between splits: equal or nearly equal rows, groups and sources in two of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conf.runtime.errors import BadInput
from conf.schema.study import Study
from data.card import Leakage
from data.sources.rows import Rows
from tasks.prepare.cleaning.near_duplicates import near_duplicates
from tasks.prepare.cleaning.rules import HASH
from tasks.prepare.splitting.split import Splits


def shared(names: npt.NDArray[np.str_], splits: Splits) -> int:
    """Number of names that occur in more than one split."""
    order = np.lexsort((splits, names))
    same = names[order][1:] == names[order][:-1]
    crossing = same & (splits[order][1:] != splits[order][:-1])
    return len(np.unique(names[order][1:][crossing]))


def refuse_leaks(rows: Rows, splits: Splits, study: Study) -> Leakage:
    """Leakage between the splits, for the card; any leak is an error.

    Raises:
        BadInput: the same content, a near duplicate, a group, or the source text of a text pair is
            in two splits.
    """
    counts: dict[str, int | None] = {"exact": shared(rows.strings(HASH).astype(str), splits)}
    if counts["exact"]:
        raise _leak(f"{counts['exact']} contents are", "set clean.duplicates=drop")
    counts["near"] = _near(rows, splits, study)
    if counts["near"]:
        raise _leak(f"{counts['near']} near duplicates are", "set clean.near.action=drop")
    if rows.has("group"):
        counts["groups"] = shared(rows.strings("group").astype(str), splits)
        if counts["groups"]:
            raise _leak(f"{counts['groups']} groups are", "set split.by=group")
    if rows.kind == "pairs":
        counts["sources"] = shared(rows.strings("source").astype(str), splits)
        if counts["sources"]:
            raise _leak(f"{counts['sources']} sources are", "set split.by=group")
    return Leakage.model_validate(counts)


def _near(rows: Rows, splits: Splits, study: Study) -> int | None:
    """Near duplicates in different splits; None without `clean.near`, 0 where it drops them."""
    near = study.clean.near
    if near is None:
        return None
    if near.action == "drop":
        return 0
    earlier = near_duplicates(rows, near)
    repeats = earlier >= 0
    return int((splits[repeats] != splits[earlier[repeats]]).sum())


def _leak(what: str, remedy: str) -> BadInput:
    return BadInput(f"data: {what} in more than one of train, validation and test; {remedy}")
