"""How a cleaning rule removes rows and says so."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data.sources.rows import Report, Rows

EXAMPLES = 5

Mask = npt.NDArray[np.bool_]


def describe(rows: Rows, mask: Mask, why: str) -> tuple[str, ...]:
    """A few of the rows marked, each by its number in the source and the reason."""
    return tuple(f"row {number}: {why}" for number in rows.ids()[mask][:EXAMPLES])


def drop(rows: Rows, mask: Mask, rule: str, why: str) -> tuple[Rows, Report]:
    """Remove the marked rows and report it."""
    kept = rows.keep(~mask)
    return kept, Report(rule, len(rows), len(kept), examples=describe(rows, mask, why))
