"""The leaderboard: one list of rows for the terminal, Prefect's artifact and the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

from conf.schema.search import Scalar
from tasks.report import format
from tasks.study.reader import StudyRecord, TrialRecord

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class LeaderboardRow:
    """One trial on the leaderboard."""

    place: int | None
    """From 1; None for a trial without an objective."""
    trial: int
    value: float | None
    """The objective."""
    low: float | None
    high: float | None
    """Ends of its 95 % interval."""
    status: str
    cause: str | None
    """Why it failed."""
    message: str
    epochs: int
    seconds: float
    origin: str
    """What proposed it."""
    values: Mapping[str, Scalar]
    """Dotted key to value, of every active searched setting."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """Further objectives, and what the constraints are about, by name."""
    violated: tuple[str, ...] = ()
    """Names of the constraints that the trial violates."""


def leaderboard(record: StudyRecord) -> Iterator[LeaderboardRow]:
    """Ranked trials first, best first; then the others in the order in which they were asked."""
    ranked: set[int] = set()
    for place, trial in enumerate(record.leaderboard(), start=1):
        ranked.add(trial.number)
        yield _row(trial, place)
    for trial in record:
        if trial.number not in ranked:
            yield _row(trial, None)


def settings(record: StudyRecord) -> list[str]:
    """The searched keys, in the order of the study's file."""
    return list(record.study.search.space)


def short(keys: list[str]) -> dict[str, str]:
    """Each key's last part, or as much of the key as tells it from the others."""
    shortened: dict[str, str] = {}
    for key in keys:
        parts = key.split(".")
        for size in range(1, len(parts) + 1):
            name = ".".join(parts[-size:])
            if sum(f".{other}".endswith(f".{name}") for other in keys) == 1:
                break
        shortened[key] = name
    return shortened


def as_records(record: StudyRecord, limit: int | None = 50) -> list[dict[str, str]]:
    """The leaderboard as rows of text, for Prefect's table artifact."""
    keys, objective = settings(record), record.study.evaluate.objective
    return [
        {
            "place": str(row.place or format.DASH),
            "trial": str(row.trial),
            objective: format.number(row.value),
            "95 % interval": format.interval(row.low, row.high),
            **{name: _measure(row, name) for name in measured(record)},
            **{key: _cell(row, key) for key in keys},
            "epochs": str(row.epochs),
            "time": format.duration(row.seconds),
            "outcome": outcome(row),
        }
        for row in islice(leaderboard(record), limit)
    ]


def rich_table(record: StudyRecord, limit: int | None = 10, width: int | None = None) -> Table:
    """The leaderboard for a terminal.

    Args:
        record: the study.
        limit: the most rows; None for all.
        width: characters of a line; what has no room is left out, intervals and times first.
    """
    from rich.table import Table
    from rich.text import Text

    rows = list(islice(leaderboard(record), limit))
    columns, gap = fitting(_columns(record, rows), width)
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(Text(column.name), justify=column.justify, no_wrap=True)
    for number, row in enumerate(rows):
        style = "bold green" if row.place == 1 else "red" if row.status == "failed" else ""
        table.add_row(*(Text(column.cells[number]) for column in columns), style=style)
    return table


@dataclass(frozen=True)
class LeaderboardColumn:
    """A column of the leaderboard on a terminal."""

    name: str
    cells: list[str]
    leaves: int = 0
    """Where there is too little room the highest goes first; 0 stays."""
    justify: Literal["left", "right"] = "right"

    @property
    def width(self) -> int:
        """Characters of its widest cell."""
        return max(map(len, [self.name, *self.cells]))


def fitting(
    columns: list[LeaderboardColumn], width: int | None
) -> tuple[list[LeaderboardColumn], int]:
    """The columns that have room on a line, and the blanks between two: two, or one."""
    kept = list(columns)
    if width is None or sum(column.width + 2 for column in kept) - 2 <= width:
        return kept, 2
    while sum(column.width + 1 for column in kept) - 1 > width:
        last = max(kept, key=lambda column: column.leaves)
        if not last.leaves:
            break
        kept.remove(last)
    return kept, 1


def _columns(record: StudyRecord, rows: list[LeaderboardRow]) -> list[LeaderboardColumn]:
    keys = settings(record)
    intervals = [format.interval(row.low, row.high) for row in rows]
    plain = [row.status == "complete" and not row.violated for row in rows]
    outcomes = ["" if well else outcome(row) for row, well in zip(rows, plain, strict=True)]
    return [
        LeaderboardColumn("", [str(row.place or "") for row in rows]),
        LeaderboardColumn("trial", [str(row.trial) for row in rows]),
        LeaderboardColumn(
            record.study.evaluate.objective, [format.number(row.value) for row in rows]
        ),
        LeaderboardColumn("95 % interval", intervals, leaves=len(keys) + 2),
        *(
            LeaderboardColumn(name, [_measure(row, name) for row in rows])
            for name in measured(record)
        ),
        *(
            LeaderboardColumn(name, [_cell(row, key) for row in rows], leaves=place)
            for place, (key, name) in enumerate(short(keys).items(), start=1)
        ),
        LeaderboardColumn(
            "time", [format.duration(row.seconds) for row in rows], leaves=len(keys) + 1
        ),
        *([LeaderboardColumn("", outcomes, justify="left")] if any(outcomes) else []),
    ]


def outcome(row: LeaderboardRow) -> str:
    """How a trial ended, with the cause where there is one."""
    if row.violated:
        return f"violates {' and '.join(row.violated)}"
    return f"{row.status}: {row.cause}" if row.status == "failed" and row.cause else row.status


def measured(record: StudyRecord) -> tuple[str, ...]:
    """Names of the measures that a study's trials are also judged by."""
    return record.study.evaluate.needed


def _measure(row: LeaderboardRow, name: str) -> str:
    return format.setting(row.measures[name]) if name in row.measures else ""


def _cell(row: LeaderboardRow, key: str) -> str:
    return format.setting(row.values[key]) if key in row.values else ""


def _row(record: TrialRecord, place: int | None) -> LeaderboardRow:
    trial, evaluation = record.trial, record.evaluation
    value = trial.value if place is not None else None
    found = evaluation.metrics.get(evaluation.objective) if evaluation and place else None
    if found is not None and found.value != value:
        found = None  # of another rung than the one that the journal ranks
    return LeaderboardRow(
        place=place,
        trial=trial.number,
        value=value,
        low=found.low if found else None,
        high=found.high if found else None,
        status=trial.status,
        cause=trial.cause if trial.status == "failed" else None,
        message=trial.message,
        epochs=trial.epoch,
        seconds=trial.seconds,
        origin=trial.origin,
        values=trial.values,
        measures=trial.measures,
        violated=trial.broken,
    )
