"""`dense evaluate`: the champion scored on files, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from conf.home import Home
from flows.champion import version_of

if TYPE_CHECKING:
    from tasks.champion.scoring import Scored
    from tasks.evaluate.intervals import Interval


def evaluate(name: str, files: Sequence[Path], metrics: Sequence[str] = ()) -> None:
    """Print what a registered model is worth on each file; `name` is as for `version_of`, `metrics`
    are other ones than its study's.

    Raises:
        BadInput: there is no such model or metric, or a file has not the rows or the targets.
    """
    from tasks.champion.scoring import score_files
    from tasks.track import store

    home = Home.open()
    model, which = version_of(home, name)
    uri = store.bootstrap(home)
    with store.at_work(uri, "give the command again when it answers"):
        found = score_files(store.client(uri), model, files, which, metrics)
    print("\n".join(lines(found)))


def _cell(found: Interval) -> str:
    if not isfinite(found.value):
        return "not defined"
    return f"{found.value:.4f} ({found.low:.4f} – {found.high:.4f})"


def lines(found: Sequence[Scored]) -> list[str]:
    """A line a file: rows, and each metric with its 95 % interval."""
    metrics = list(found[0].metrics)
    table = [["", "rows", *metrics]]
    for one in found:
        cells = [one.metrics[name] for name in metrics]
        table.append([one.place, f"{one.rows:,}", *map(_cell, cells)])
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
