"""What a running study shows, on terminals of several widths and in pipes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console

from conf.schema.search import Scalar
from flows.study.display import (
    LiveDisplay,
    PlainDisplay,
    RunningTrial,
    StudyProgress,
    duration,
    trial_line,
)
from tasks.study.trial import Trial
from tests.unit.study.examples import trial_of

VALUES: dict[str, Scalar] = {
    "train.lr": 0.0058234,
    "train.weight_decay": 1.6441e-05,
    "model.width": 57,
}
HEADERS = {"train.lr": "lr", "train.weight_decay": "weight_decay", "model.width": "width"}
BEST = trial_of(11, "complete", 0.99164, 31.04, values=VALUES)


def progress(**changes) -> StudyProgress:
    given = {
        "study": "digits", "objective": "accuracy", "total": 16, "done": 12, "failed": 1,
        "running": {12: RunningTrial("epoch 3/12", VALUES)}, "best": BEST, "seconds": 60.0,
        "seconds_left": 34.2, "headers": HEADERS,
    }  # fmt: skip
    return StudyProgress(**{**given, **changes})


@contextmanager
def terminal(width: int) -> Iterator[tuple[LiveDisplay, Console]]:
    """A live display on a terminal that nobody sees, and a console of its size to look with."""
    size = {"width": width, "color_system": None, "force_terminal": True}
    display = LiveDisplay(Console(file=io.StringIO(), **size))
    try:
        yield display, Console(file=io.StringIO(), **size)
    finally:
        display.close()


def lines(display: LiveDisplay, console: Console) -> list[str]:
    with console.capture() as capture:
        console.print(display._render())
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("width", [40, 60, 80, 110])
def test_every_trial_has_one_line_within_the_terminal(width: int) -> None:
    with terminal(width) as (display, console):
        for number in range(8, 12):
            trial = trial_of(number, "complete", 0.9, 9.0, values=VALUES)
            display.trial_ended(trial, progress())
        shown = lines(display, console)
    assert len(shown) == 1 + 4 + 1 + 1 + 1  # head, ended, running, blank, bar
    assert max(map(len, shown)) <= width - LiveDisplay.SPARE
    assert shown[-1].startswith("digits ")


def test_a_wide_terminal_shows_settings_and_what_is_left() -> None:
    with terminal(110) as (display, console):
        display.trial_ended(BEST, progress())
        shown = lines(display, console)
    assert shown[0].split() == ["trial", "accuracy", "time", "lr", "weight_decay", "width"]
    assert shown[1].split() == ["11", "0.9916", "31.0", "s", "0.00582", "1.64e-05", "57"]
    assert "12/16 trials · 1 failed · best 0.9916 (trial 11) · about 34 s left" in shown[-1]


def test_it_says_what_is_going_on_before_there_is_a_trial() -> None:
    with terminal(80) as (display, console):
        display.set_status("starting")
        assert lines(display, console)[-1].endswith(" starting")
        display.set_status("")
        assert lines(display, console) == []


@pytest.mark.parametrize(
    ("trial", "line"),
    [
        (BEST, "12/16  trial 11       31.0 s  accuracy 0.9916  best so far"),
        (trial_of(3, "complete", 0.9, 8.0), "12/16  trial 3         8.0 s  accuracy 0.9000"),
        (
            trial_of(3, "paused", 0.9, 8.0),
            "12/16  trial 3         8.0 s  accuracy 0.9000  paused",
        ),
        (
            trial_of(
                4, "failed", None, 200.0, cause="nan", message="the loss became nan in epoch 2"
            ),
            "12/16  trial 4    3 min 20 s  failed: nan: the loss became nan in epoch 2",
        ),
        (
            trial_of(5, "queued", None, 2.0, epoch=3),
            "12/16  trial 5         2.0 s  saved: after 3 epochs, to be continued",
        ),
        (
            trial_of(6, "queued", None, 2.0, cause="killed", message="by SIGKILL"),
            "12/16  trial 6         2.0 s  tried again: killed: by SIGKILL",
        ),
        (
            trial_of(7, "complete", 0.9, 8.0, broken=("latency_ms <= 20",)),
            "12/16  trial 7         8.0 s  accuracy 0.9000  violates latency_ms <= 20",
        ),
    ],
    ids=["best", "complete", "paused", "failed", "saved", "retried", "constraint"],
)
def test_plain_lines(trial: Trial, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert trial_line(trial, progress()) == line
    PlainDisplay().trial_ended(trial, progress())
    assert capsys.readouterr().out == f"{line}\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.2, "8 s"), (170, "3 min"), (9000, "2.5 h")], ids=str
)
def test_time_left_is_no_more_exact_than_known(seconds: float, text: str) -> None:
    assert duration(seconds) == text
