"""What a running study shows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Ended:
    """One trial that ended: its outcome, the objective's value, its settings."""

    number: int
    outcome: str
    value: float | None
    seconds: float
    note: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """Where a study stands."""

    study: str
    objective: str
    total: int
    done: int
    failed: int
    running: Mapping[int, str]  # number -> "epoch 3/12"
    best: Ended | None
    seconds: float
    seconds_left: float | None


class Display(Protocol):
    """Where progress goes."""

    def say(self, line: str) -> None:
        """Show one line that stays."""

    def ended(self, trial: Ended, progress: Progress) -> None:
        """Show that a trial ended."""

    def update(self, progress: Progress) -> None:
        """Show where the study stands now."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class PlainDisplay:
    """One line a fact, for logs and pipes."""

    def say(self, line: str) -> None:
        print(line, flush=True)

    def ended(self, trial: Ended, progress: Progress) -> None:
        self.say(f"{trial_line(trial, progress)}  [{progress.done}/{progress.total}]")

    def update(self, progress: Progress) -> None:
        pass

    def close(self) -> None:
        pass


class LiveDisplay:
    """The last trials and a bar, redrawn in place."""

    ROWS = 8

    def __init__(self, console: Console) -> None:
        self._console = console
        self._recent: list[Ended] = []
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._live.start()

    def say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False)

    def ended(self, trial: Ended, progress: Progress) -> None:
        self._recent = [*self._recent, trial][-self.ROWS :]
        self.update(progress)

    def update(self, progress: Progress) -> None:
        self._live.update(Group(self._table(progress), self._bar(progress)))

    def close(self) -> None:
        self._live.stop()

    def _table(self, progress: Progress) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name, justify in (("trial", "right"), (progress.objective, "right"), ("", "left")):
            table.add_column(name, justify=justify)  # type: ignore[arg-type]
        for trial in self._recent:
            best = progress.best is not None and progress.best.number == trial.number
            style = "bold green" if best else "red" if trial.outcome == "failed" else ""
            note = trial.note or f"{trial.seconds:.1f} s"
            table.add_row(str(trial.number), shown(trial.value), note, style=style)
        for number, where in sorted(progress.running.items()):
            table.add_row(str(number), "…", where, style="cyan")
        return table

    def _bar(self, progress: Progress) -> Table:
        line = Table.grid(padding=(0, 1))
        facts = [f"{progress.done}/{progress.total} trials", f"{len(progress.running)} running"]
        if progress.failed:
            facts.append(f"{progress.failed} failed")
        if progress.best:
            facts.append(f"best {shown(progress.best.value)} (trial {progress.best.number})")
        if progress.seconds_left is not None:
            facts.append(f"about {duration(progress.seconds_left)} left")
        bar = ProgressBar(total=max(progress.total, 1), completed=progress.done, width=24)
        line.add_row(Text(progress.study, style="bold"), bar, Text(" · ".join(facts)))
        return line


def make_display(*, quiet: bool = False) -> Display:
    """The live table where standard output is a terminal, plain lines elsewhere.

    With `quiet` the lines go to standard error, so that standard output holds JSON alone.
    """
    console = Console(stderr=quiet)
    if console.is_terminal and not quiet:
        return LiveDisplay(console)
    return StderrDisplay() if quiet else PlainDisplay()


class StderrDisplay(PlainDisplay):
    """Plain lines beside a machine-readable standard output."""

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def trial_line(trial: Ended, progress: Progress) -> str:
    """One ended trial as a line."""
    best = "  best so far" if progress.best and progress.best.number == trial.number else ""
    result = f"{progress.objective} {shown(trial.value)}" if trial.value is not None else trial.note
    return f"trial {trial.number:>3}  {trial.outcome:<8}  {result}  {trial.seconds:.1f} s{best}"


def shown(value: float | None) -> str:
    """A metric for people: four decimals."""
    return "-" if value is None else f"{value:.4f}"


def duration(seconds: float) -> str:
    """Seconds for people: `8 s`, `3 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
