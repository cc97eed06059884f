"""The leaderboard, the same for terminal, artifact and page."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tasks.report import leaderboard
from tasks.study.reader import StudyRecord
from tests.unit.report.made import made_home, made_study


def test_the_best_comes_first_and_failures_last(record: StudyRecord) -> None:
    rows = list(leaderboard.leaderboard(record))
    assert [row.place for row in rows] == [*range(1, 15), None, None]
    values = [row.value for row in rows[:14]]
    assert values == sorted(values, key=lambda value: -(value or 0))
    assert [row.trial for row in rows[14:]] == [5, 11]
    assert {row.cause for row in rows[14:]} == {"nan"}


def test_a_row_has_the_interval_of_its_own_value(record: StudyRecord) -> None:
    for row in list(leaderboard.leaderboard(record))[:14]:
        assert row.low is not None and row.value is not None and row.high is not None
        assert row.low <= row.value <= row.high


def test_less_is_better_where_the_objective_falls(tmp_path: Path) -> None:
    home = made_home(tmp_path)
    from conf.loading.load import load_study

    metrics = ["evaluate={objective: log_loss, metrics: [log_loss]}"]
    record = made_study(home, trials=5, failed=(), evaluate=load_study("digits", metrics).evaluate)
    values = [row.value for row in leaderboard.leaderboard(record) if row.value is not None]
    assert values == sorted(values)


def test_the_artifact_is_text_and_limited(record: StudyRecord) -> None:
    rows = leaderboard.as_records(record, limit=3)
    assert len(rows) == 3
    assert all(isinstance(cell, str) for row in rows for cell in row.values())
    assert rows[0]["place"] == "1"
    assert "train.lr" in rows[0]


def test_the_terminal_shows_it_without_markup(record: StudyRecord) -> None:
    out = io.StringIO()
    Console(file=out, width=160, color_system=None).print(
        leaderboard.rich_table(record, limit=None)
    )
    lines = out.getvalue().splitlines()
    assert len(lines) == 17
    assert "weight_decay" in lines[0]
    assert "failed: nan" in lines[-1]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["train.lr", "model.width"], ["lr", "width"]),
        (["model.head.layers", "model.body.layers"], ["head.layers", "body.layers"]),
        (["augment.mixup.p", "augment.flip.p", "train.p"], ["mixup.p", "flip.p", "train.p"]),
        (["a.b", "c.a.b"], ["a.b", "c.a.b"]),
    ],
)
def test_short_names_tell_settings_apart(keys: list[str], names: list[str]) -> None:
    assert list(leaderboard.short(keys).values()) == names


@pytest.mark.parametrize("width", [40, 60, 90, 120, 160])
def test_it_fits_the_terminal(record: StudyRecord, width: int) -> None:
    out = io.StringIO()
    table = leaderboard.rich_table(record, limit=None, width=width)
    Console(file=out, width=width, color_system=None).print(table)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert len(lines) == 17 and max(map(len, lines)) <= width
    head = lines[0].split()
    assert head[:2] == ["trial", "accuracy"]
    assert ("interval" in head) == (width >= 120)
    assert ("degrees" in head) == (width >= 90)
    assert "…" not in out.getvalue()
