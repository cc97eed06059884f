"""Sections "Leaderboard" and "Failures": the trials as formatted lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conf.schema.search import Choices, Range
from tasks.report import format as words
from tasks.report.figures.base import readable_range
from tasks.report.leaderboard import LeaderboardRow, measured, outcome, settings, short
from tasks.report.sections.pareto import pareto_trials
from tasks.study.reader import StudyRecord

SHOWN_ROWS = 20
MOST_ROWS = 1_000
MOST_SETTINGS = 6
MOST_NAMED_FAILURES = 12


@dataclass(frozen=True)
class BoardLine:
    """One trial; `left`, `width` and `at` place its interval on a bar, in percent."""

    row: LeaderboardRow
    value: str
    interval: str
    left: float
    width: float
    at: float
    front: bool
    """Whether the trial is on the Pareto front."""
    measures: list[str]
    cells: list[str]
    """Searched settings, in the order of the columns."""
    others: str
    """The trial's settings that have no column: `depth 6, leaves 31`."""
    seconds: str
    outcome: str


@dataclass(frozen=True)
class BoardSection:
    """The leaderboard as a table."""

    measures: tuple[str, ...]
    front: int
    """Trials on the Pareto front; 0 with a single objective."""
    settings: list[tuple[str, str]]
    """Dotted key and short name of each searched setting that has a column."""
    others: bool
    """Whether there are settings without a column."""
    rows: list[BoardLine]
    shown: int
    left_out: int


@dataclass(frozen=True)
class FailureCause:
    """Failed trials that share a cause."""

    cause: str
    count: int
    trials: str
    message: str
    """Of the first of them."""


@dataclass(frozen=True)
class _Columns:
    """What the cells of a line need to know about the whole table."""

    names: Mapping[str, str]
    """Dotted key to short name of each searched setting."""
    keys: Sequence[str]
    """Settings that have a column."""
    measures: Sequence[str]
    front: frozenset[int]
    low: float
    high: float

    def percent(self, value: float | None) -> float:
        """Position of a value on the bar."""
        value = self.low if value is None else value
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)


def board_section(record: StudyRecord, rows: Sequence[LeaderboardRow]) -> BoardSection:
    """The leaderboard of a study, cut after `MOST_ROWS` trials."""
    names, keys = short(settings(record)), with_column(record.study.search.space)
    front = frozenset(pareto_trials(record))
    ends = [end for row in rows for end in (row.low, row.high, row.value) if end is not None]
    scale = readable_range(ends, record.state.sign)
    columns = _Columns(names, keys, measured(record), front, *scale)
    return BoardSection(
        measures=measured(record),
        front=len(front),
        settings=[(key, names[key]) for key in keys],
        others=len(keys) < len(names),
        rows=[_line(row, columns) for row in rows[:MOST_ROWS]],
        shown=SHOWN_ROWS,
        left_out=max(0, len(rows) - MOST_ROWS),
    )


def with_column(space: Mapping[str, Range | Choices]) -> list[str]:
    """The settings that have a column of their own.

    Settings of one model family (`when`) are empty for all other trials, so they share a column,
    as do those beyond `MOST_SETTINGS`.
    """
    always = [key for key, dimension in space.items() if not dimension.when]
    return always[:MOST_SETTINGS]


def _line(row: LeaderboardRow, columns: _Columns) -> BoardLine:
    left = columns.percent(row.low)
    return BoardLine(
        row=row,
        value=words.number(row.value),
        interval=words.interval(row.low, row.high),
        left=left,
        width=max(columns.percent(row.high) - left, 0.5) if row.low is not None else 0,
        at=columns.percent(row.value),
        front=row.trial in columns.front,
        measures=[
            words.setting(row.measures[name]) if name in row.measures else ""
            for name in columns.measures
        ],
        cells=[words.setting(row.values[k]) if k in row.values else "" for k in columns.keys],
        others=", ".join(
            f"{name} {words.setting(row.values[key])}"
            for key, name in columns.names.items()
            if key in row.values and key not in columns.keys
        ),
        seconds=words.duration(row.seconds),
        outcome=outcome(row),
    )


def failure_causes(rows: Sequence[LeaderboardRow]) -> list[FailureCause]:
    """Failed trials grouped by cause, the most frequent cause first."""
    causes: dict[str, list[LeaderboardRow]] = defaultdict(list)
    for row in rows:
        if row.status == "failed":
            causes[row.cause or "error"].append(row)
    return [
        FailureCause(cause, len(failed), _numbers(failed), failed[0].message)
        for cause, failed in sorted(causes.items(), key=lambda item: -len(item[1]))
    ]


def _numbers(rows: Sequence[LeaderboardRow]) -> str:
    named = ", ".join(str(row.trial) for row in rows[:MOST_NAMED_FAILURES])
    return f"{named}, …" if len(rows) > MOST_NAMED_FAILURES else named
