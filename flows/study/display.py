"""What a running study shows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tasks.report import format as words

if TYPE_CHECKING:
    from logging import Logger, LoggerAdapter

    Log = Logger | LoggerAdapter[Any]


@dataclass(frozen=True)
class FinishedTrial:
    """One trial that ended: its outcome, the objective's value, its settings."""

    number: int
    outcome: str
    value: float | None
    seconds: float
    note: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """One trial on its way."""

    where: str
    """`epoch 3/12`."""
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyProgress:
    """Where a study stands."""

    study: str
    objective: str
    total: int
    done: int
    failed: int
    running: Mapping[int, Running]
    best: FinishedTrial | None
    seconds: float
    seconds_left: float | None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Searched key to its short name, in the order of the study's file."""


class Display(Protocol):
    """Where progress goes."""

    def say(self, line: str) -> None:
        """Show one line that stays."""

    def doing(self, what: str) -> None:
        """Show what is going on now, until something else is; empty: the trials."""

    def ended(self, trial: FinishedTrial, progress: StudyProgress) -> None:
        """Show that a trial ended."""

    def update(self, progress: StudyProgress) -> None:
        """Show where the study stands now."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class PlainDisplay:
    """One line a fact, for logs and pipes."""

    def say(self, line: str) -> None:
        print(line, flush=True)

    def doing(self, what: str) -> None:
        if what:
            self.say(what)

    def ended(self, trial: FinishedTrial, progress: StudyProgress) -> None:
        self.say(trial_line(trial, progress))

    def update(self, progress: StudyProgress) -> None:
        pass

    def close(self) -> None:
        pass


class LogDisplay(PlainDisplay):
    """Lines of a run's log, which its page shows. A log takes them also when whoever read the
    run's standard output is gone."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def say(self, line: str) -> None:
        self._log.info("%s", line)


class StderrDisplay(PlainDisplay):
    """Plain lines beside a machine-readable standard output."""

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class LiveDisplay:
    """The last trials, a bar, and what is going on, redrawn in place."""

    ROWS = 8
    BAR = 24
    SPARE = 3
    """Columns left free: the `^C` that a terminal echoes must not begin another line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._recent: list[FinishedTrial] = []
        self._progress: StudyProgress | None = None
        self._doing = Text()
        self._spinner = Spinner("dots", self._doing, style="cyan")
        self._live = Live(
            console=console, refresh_per_second=4, transient=True, get_renderable=self._shown
        )
        self._live.start()

    def say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False)

    def doing(self, what: str) -> None:
        self._spinner.text = self._doing = Text(what, overflow="ellipsis", no_wrap=True)

    def ended(self, trial: FinishedTrial, progress: StudyProgress) -> None:
        self._recent = [*self._recent, trial][-self.ROWS :]
        self.update(progress)

    def update(self, progress: StudyProgress) -> None:
        self._progress = progress

    def close(self) -> None:
        self._live.stop()

    def _shown(self) -> RenderableType:
        parts: list[RenderableType] = []
        if (progress := self._progress) is not None:
            parts += [self._table(progress), Text(), self._bar(progress)]
        if self._doing.plain:
            parts.append(self._spinner)
        return Constrain(Group(*parts), self._width)

    @property
    def _width(self) -> int:
        return max(1, self._console.width - self.SPARE)

    def _table(self, progress: StudyProgress) -> Table:
        rows = [_ended_row(trial, progress) for trial in self._recent]
        rows += [_running_row(*each, progress) for each in sorted(progress.running.items())]
        names = ["trial", progress.objective, "time", *progress.headers.values()]
        kept = _fitting([names, *(cells for cells, _ in rows)], self._width)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for name in names[:kept]:
            table.add_column(Text(name), justify="right", no_wrap=True)
        for cells, style in rows:
            table.add_row(*map(Text, cells[:kept]), style=style)
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
    """The live table where standard output is a terminal, plain lines elsewhere.

    With `quiet` the lines go to standard error, so that standard output holds JSON alone.
    """
    if quiet:
        return StderrDisplay()
    console = Console()
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveDisplay(console) if live else PlainDisplay()


def trial_line(trial: FinishedTrial, progress: StudyProgress) -> str:
    """One ended trial as a line, its figures below those of the line before."""
    count = f"{progress.done:>{len(str(progress.total))}}/{progress.total}"
    line = f"{count}  trial {trial.number:<3} {_time(trial):>11}  {_result(trial, progress)}"
    return f"{line}  best so far" if _is_best(trial, progress) else line


def duration(seconds: float) -> str:
    """Seconds still to wait, no more exactly than is known: `8 s`, `3 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _ended_row(trial: FinishedTrial, progress: StudyProgress) -> tuple[list[str], str]:
    """Cells and style of a trial that ended."""
    settings = _settings(trial.values, progress)
    if trial.value is None or trial.outcome == "failed":
        # The whole sentence would push the settings off the line; `dense show` has it.
        cause = trial.note.partition(":")[0] if trial.outcome == "failed" else _time(trial)
        style = "red" if trial.outcome == "failed" else "yellow"
        return [str(trial.number), trial.outcome, cause, *settings], style
    style = "bold green" if _is_best(trial, progress) else ""
    return [str(trial.number), words.number(trial.value), _time(trial), *settings], style


def _running_row(number: int, running: Running, progress: StudyProgress) -> tuple[list[str], str]:
    settings = _settings(running.values, progress)
    return [str(number), "", running.where, *settings], "cyan"


def _settings(values: Mapping[str, object], progress: StudyProgress) -> list[str]:
    return [
        words.setting(values[key]) if key in values else ""  # type: ignore[arg-type]
        for key in progress.headers
    ]


def _fitting(rows: list[list[str]], width: int) -> int:
    """How many columns, from the left, have room in a terminal of this width."""
    room = width
    for kept, column in enumerate(zip(*rows, strict=True)):
        room -= max(map(len, column)) + 2
        if room < -2:
            return kept
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


def _result(trial: FinishedTrial, progress: StudyProgress) -> str:
    if trial.value is None or trial.outcome == "failed":
        return f"{trial.outcome}: {trial.note}" if trial.note else trial.outcome
    said = "" if trial.outcome == "complete" else f"  {trial.outcome}"
    return f"{progress.objective} {words.number(trial.value)}{said}"


def _time(trial: FinishedTrial) -> str:
    return words.duration(trial.seconds)


def _is_best(trial: FinishedTrial, progress: StudyProgress) -> bool:
    return progress.best is not None and progress.best.number == trial.number
