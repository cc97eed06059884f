"""The check that no row of one part is also in another, nor one almost like it."""

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
    """How many of the names occur in more than one part."""
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
    found: dict[str, int | None] = {"exact": shared(rows.strings(HASH).astype(str), splits)}
    if found["exact"]:
        raise _leak(f"{found['exact']} contents are", "set clean.duplicates=drop")
    found["near"] = _near(rows, splits, study)
    if found["near"]:
        raise _leak(f"{found['near']} near duplicates are", "set clean.near.action=drop")
    if rows.has("group"):
        found["groups"] = shared(rows.strings("group").astype(str), splits)
        if found["groups"]:
            raise _leak(f"{found['groups']} groups are", "set split.by=group")
    if rows.kind == "pairs":
        found["sources"] = shared(rows.strings("source").astype(str), splits)
        if found["sources"]:
            raise _leak(f"{found['sources']} sources are", "set split.by=group")
    return Leakage.model_validate(found)


def _near(rows: Rows, splits: Splits, study: Study) -> int | None:
    """Near duplicates over parts; None where they are not looked for, 0 where none are left."""
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
