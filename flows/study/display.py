"""Progress of a running study: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tasks.report import format as words
from tasks.train.engine.outcome import why

if TYPE_CHECKING:
    from logging import Logger, LoggerAdapter

    from conf.schema.search import Scalar
    from tasks.study.trial import Trial

    Log = Logger | LoggerAdapter[Logger]


@dataclass(frozen=True)
class RunningTrial:
    """A trial that is being trained."""

    epochs: str
    """`epoch 3/12`."""
    values: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is."""

    study: str
    objective: str
    total: int
    done: int
    failed: int
    running: Mapping[int, RunningTrial]
    best: Trial | None
    seconds: float
    """Since this run began."""
    seconds_left: float | None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Searched key to its column's name, in the order of the study's file."""


class Display(ABC):
    """Where a run of a study shows its progress.

    Life, in call order:

    1. The command makes one before anything is started; a deployed run makes a `LogDisplay`.
    2. `set_status` names the step that is going on, from the start of the servers to the report;
       the empty string clears it.
    3. `trial_ended` after each attempt, once the journal holds it; `update` twice a second while
       trials run.
    4. `close` once, also after an error.

    `print_line` may come at any time, also from another thread: a signal is announced by it.
    """

    @abstractmethod
    def print_line(self, line: str) -> None:
        """Print a line that stays."""

    @abstractmethod
    def set_status(self, text: str) -> None:
        """Name the step that is going on; empty while trials are all there is to show."""

    @abstractmethod
    def trial_ended(self, trial: Trial, progress: StudyProgress) -> None:
        """Show a trial whose attempt has ended; it is over, paused, or queued again."""

    def update(self, progress: StudyProgress) -> None:  # noqa: B027  plain lines do not redraw
        """Redraw the progress."""

    def close(self) -> None:  # noqa: B027
        """Restore the terminal."""


class PlainDisplay(Display):
    """One line per event, for logs and pipes."""

    def print_line(self, line: str) -> None:
        print(line, flush=True)

    def set_status(self, text: str) -> None:
        if text:
            self.print_line(text)

    def trial_ended(self, trial: Trial, progress: StudyProgress) -> None:
        self.print_line(trial_line(trial, progress))


class LogDisplay(PlainDisplay):
    """Lines in the log of a flow run, which its page shows.

    A log also accepts them when the reader of standard output is gone.
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    def print_line(self, line: str) -> None:
        self._log.info("%s", line)


class StderrDisplay(PlainDisplay):
    """Plain lines on standard error, beside a machine-readable standard output."""

    def print_line(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class LiveDisplay(Display):
    """The last trials, a progress bar and the status, redrawn in place."""

    ROWS = 8
    BAR = 24
    SPARE = 3
    """Columns left free: the `^C` that a terminal echoes must not begin another line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._recent: list[Trial] = []
        self._progress: StudyProgress | None = None
        self._status = Text()
        self._spinner = Spinner("dots", self._status, style="cyan")
        self._live = Live(
            console=console, refresh_per_second=4, transient=True, get_renderable=self._render
        )
        self._live.start()

    def print_line(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False)

    def set_status(self, text: str) -> None:
        self._spinner.text = self._status = Text(text, overflow="ellipsis", no_wrap=True)

    def trial_ended(self, trial: Trial, progress: StudyProgress) -> None:
        self._recent = [*self._recent, trial][-self.ROWS :]
        self.update(progress)

    def update(self, progress: StudyProgress) -> None:
        self._progress = progress

    def close(self) -> None:
        self._live.stop()

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = []
        if (progress := self._progress) is not None:
            parts += [self._table(progress), Text(), self._bar(progress)]
        if self._status.plain:
            parts.append(self._spinner)
        return Constrain(Group(*parts), self._width)

    @property
    def _width(self) -> int:
        return max(1, self._console.width - self.SPARE)

    def _table(self, progress: StudyProgress) -> Table:
        rows = [_ended_row(trial, progress) for trial in self._recent]
        rows += [_running_row(*each, progress) for each in sorted(progress.running.items())]
        names = ["trial", progress.objective, "time", *progress.headers.values()]
        columns = _columns_that_fit([names, *(cells for cells, _ in rows)], self._width)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for name in names[:columns]:
            table.add_column(Text(name), justify="right", no_wrap=True)
        for cells, style in rows:
            table.add_row(*map(Text, cells[:columns]), style=style)
        return table

    def _bar(self, progress: StudyProgress) -> Table:
        facts = Text(" · ".join(_facts(progress)), no_wrap=True, overflow="ellipsis")
        room = self._width - len(progress.study) - facts.cell_len - 2
        line = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [Text(progress.study, style="bold", no_wrap=True)]
        if room >= 8:
            total = max(progress.total, 1)
            width = min(self.BAR, room)
            cells.append(ProgressBar(total=total, completed=progress.done, width=width))
        line.add_row(*cells, facts)
        return line


def make_display(*, quiet: bool = False) -> Display:
    """A live table where standard output is a terminal, plain lines elsewhere.

    Args:
        quiet: print the lines to standard error, so that standard output holds JSON alone.
    """
    if quiet:
        return StderrDisplay()
    console = Console()
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveDisplay(console) if live else PlainDisplay()


def trial_line(trial: Trial, progress: StudyProgress) -> str:
    """One ended trial as a line, its figures aligned with those of the line before."""
    count = f"{progress.done:>{len(str(progress.total))}}/{progress.total}"
    line = f"{count}  trial {trial.number:<3} {_time(trial):>11}  {_result(trial, progress)}"
    return f"{line}  best so far" if _is_best(trial, progress) else line


def outcome_text(trial: Trial) -> str:
    """The outcome of a trial's last attempt, in a word or two."""
    if trial.broken:
        return f"violates {' and '.join(trial.broken)}"
    if trial.status != "queued":
        return trial.status
    return "tried again" if trial.cause else "saved"


def outcome_note(trial: Trial) -> str:
    """The cause of a trial's last outcome, or the epochs that an interrupted one has saved."""
    if trial.status == "queued" and not trial.cause:
        return f"after {words.count(trial.epoch, 'epoch')}, to be continued"
    return why(trial.cause, trial.message)


def duration(seconds: float) -> str:
    """Seconds left, no more exact than the estimate: `8 s`, `3 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _ended_row(trial: Trial, progress: StudyProgress) -> tuple[list[str], str]:
    """Cells and style of a trial that ended."""
    settings = _settings(trial.values, progress)
    if trial.value is None or trial.status == "failed":
        failed = trial.status == "failed"
        # The whole sentence would push the settings off the line; `dense show` has it.
        cause = outcome_note(trial).partition(":")[0] if failed else _time(trial)
        style = "red" if failed else "yellow"
        return [str(trial.number), outcome_text(trial), cause, *settings], style
    style = "bold green" if _is_best(trial, progress) else ""
    return [str(trial.number), words.number(trial.value), _time(trial), *settings], style


def _running_row(
    number: int, running: RunningTrial, progress: StudyProgress
) -> tuple[list[str], str]:
    settings = _settings(running.values, progress)
    return [str(number), "", running.epochs, *settings], "cyan"


def _settings(values: Mapping[str, Scalar], progress: StudyProgress) -> list[str]:
    return [words.setting(values[key]) if key in values else "" for key in progress.headers]


def _columns_that_fit(rows: list[list[str]], width: int) -> int:
    """How many columns, from the left, fit into a terminal of this width."""
    room = width
    for index, column in enumerate(zip(*rows, strict=True)):
        room -= max(map(len, column)) + 2
        if room < -2:
            return index
    return len(rows[0])


def _facts(progress: StudyProgress) -> list[str]:
    facts = [f"{progress.done}/{progress.total} trials"]
    if progress.failed:
        facts.append(f"{progress.failed} failed")
    if progress.best:
        facts.append(f"best {words.number(progress.best.value)} (trial {progress.best.number})")
    if progress.seconds_left is not None:
        facts.append(f"about {duration(progress.seconds_left)} left")
    return facts


def _result(trial: Trial, progress: StudyProgress) -> str:
    outcome = outcome_text(trial)
    if trial.value is None or trial.status == "failed":
        return ": ".join(filter(None, (outcome, outcome_note(trial))))
    suffix = "" if outcome == "complete" else f"  {outcome}"
    return f"{progress.objective} {words.number(trial.value)}{suffix}"


def _time(trial: Trial) -> str:
    return words.duration(trial.seconds)


def _is_best(trial: Trial, progress: StudyProgress) -> bool:
    return progress.best is not None and progress.best.number == trial.number
