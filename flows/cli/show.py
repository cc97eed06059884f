"""What the commands that look print: everything here is read from files, nothing is started."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from conf.schema.study import TRIAL_SECTIONS
from flows.servers import state as servers
from tasks.report import format as words
from tasks.report.leaderboard import rich_table, settings
from tasks.report.reproduce import as_study_file
from tasks.report.sections.gain import gain
from tasks.report.sections.head import ending
from tasks.study.champion_state import CurrentChampion, last_verdict
from tasks.study.policy import full_epochs, target_trials
from tasks.study.reader import StudyRecord, studies
from tasks.train.engine.outcome import why

if TYPE_CHECKING:
    from tasks.evaluate.evaluation import Interval
    from tasks.train.folder import MetricLine

OUT = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)


def print_end(record: StudyRecord, uri: str) -> None:
    """What a run came to: leaderboard, gain, champion, and where to look."""
    OUT.print()
    OUT.print(rich_table(record, width=OUT.width))
    OUT.print()
    for label, text in [*_gain(record), *_champion(record), *_where(record, uri)]:
        OUT.print(f"[dim]{label:<9}[/dim] {text}")


def show_status(name: str | None) -> None:
    """One line a study."""
    home = Home.open()
    names = [name] if name else studies(home)
    if not names:
        OUT.print(f"no study was begun in {home.path}; try: dense run digits")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for each in names:
        table.add_row(*_status(StudyRecord.read(home, each)))
    if names:
        OUT.print(table)


def show_study(name: str) -> None:
    """The whole leaderboard."""
    OUT.print(rich_table(StudyRecord.read(Home.open(), name), limit=None, width=OUT.width))


def show_best(name: str, *, as_yaml: bool) -> None:
    """The best trial, or its configuration as a study file."""
    record = StudyRecord.read(Home.open(), name)
    best = record.best
    if best is None:
        raise DenseError(f"no trial of {name!r} has a result yet; see: dense status {name}")
    if as_yaml:
        print(_as_study_file(record))
    else:
        show_trial(name, best.number)


def show_trial(name: str, number: int) -> None:
    """One trial: its settings, its curve and its scores."""
    record = StudyRecord.read(Home.open(), name)
    found = record.trial(number)
    trial = found.trial
    reason = why(trial.cause, trial.message)
    if trial.broken:
        reason = f"violates {' and '.join(trial.broken)}"
    cause = f" ({reason})" if reason else ""
    OUT.print(f"[bold]{name} trial {number}[/bold]  {trial.status}{cause}, from {trial.origin}")
    OUT.print(
        f"{words.count(trial.attempt, 'attempt')}, {trial.epoch} of "
        f"{full_epochs(record.study, trial)} epochs, {words.duration(trial.seconds)}"
    )
    for key in settings(record):
        if key in trial.values:
            OUT.print(f"  {key} = {words.setting(trial.values[key])}")
    if (evaluation := found.evaluation) is not None:
        for metric, interval in evaluation.metrics.items():
            OUT.print(f"  {metric}  {_interval(interval)}")
    for measure, value in trial.measures.items():
        if evaluation is None or measure not in evaluation.metrics:
            OUT.print(f"  {measure}  {words.setting(value)}")
    if curve := found.curve:
        OUT.print(_curve(curve))
    OUT.print(f"[dim]folder[/dim] {found.path}")


def build_report(name: str) -> None:
    """Write the page anew from the study's files."""
    from tasks.prepare.store.pin import prepared_of
    from tasks.report.page import write_page
    from tasks.report.samples import surroundings
    from tasks.track.store import shown, tracking_uri

    home = Home.open()
    record = StudyRecord.read(home, name)
    uri = shown(tracking_uri(home))
    around = surroundings(record, prepared_of(home, name), uri, OUT.print)
    OUT.print(str(write_page(record, around)))


def stop_study(name: str) -> None:
    """Send the process that drives the study the wish to stop."""
    record = StudyRecord.read(Home.open(), name)
    holder = record.holder
    if holder is None:
        raise BadInput(f"nobody runs the study {name!r}; there is nothing to stop")
    if holder.host != socket.gethostname():
        raise BadInput(f"{name!r} runs on {holder.host}; stop it there: dense stop {name}")
    os.kill(holder.pid, signal.SIGTERM)
    OUT.print(f"asked process {holder.pid} to stop; `dense run {name}` continues the study")


def sync_study(name: str) -> None:
    """Write the MLflow record from files: the study, its trials, its champions."""
    from tasks.champion.rebuild_record import restore_versions
    from tasks.track.store import shown
    from tasks.track.sync import sync

    home = Home.open()
    done = sync(home, name)
    champions = restore_versions(StudyRecord.read(home, name), done.uri)
    runs = f"{words.count(done.trials, 'trial')} and {words.count(champions.versions, 'version')}"
    OUT.print(f"{runs} of {name!r} are in MLflow at {shown(done.uri)}")
    for folder in champions.lost:
        OUT.print(f"no version was made of {folder}: the folder or its data is gone")


def _status(record: StudyRecord) -> tuple[str, str, str, str]:
    """Name, how much is done, the best, and whether somebody runs it."""
    state, study = record.state, record.study
    done = state.count("complete", "stopped", "paused", "failed")
    trials = f"{done}/{max(target_trials(state, study), state.asked)} trials"
    if failed := state.count("failed"):
        trials += f", {failed} failed"
    best = ""
    if record.best is not None:
        value = words.number(record.best.trial.value)
        best = f"{study.evaluate.objective} {value} (trial {record.best.number})"
    if (holder := record.holder) is not None:
        where = f"running: process {holder.pid} on {holder.host}"
    else:
        where = ending(record) if state.stopped else "interrupted; it can be continued"
    return f"[bold]{study.name}[/bold]", trials, best, f"[dim]{where}[/dim]"


def _gain(record: StudyRecord) -> list[tuple[str, str]]:
    found = gain(record)
    if found is None:
        return []
    interval = found.interval
    ends = (
        f" (95 %: {words.signed(interval.low)} to {words.signed(interval.high)})"
        if interval
        else ""
    )
    objective = record.study.evaluate.objective
    return [("gained", f"{objective} {words.signed(found.value)} over trial 0{ends}")]


def _champion(record: StudyRecord) -> list[tuple[str, str]]:
    winner = CurrentChampion.of(record)
    if winner is None and not record.study.champion.enabled:
        return [("champion", "none is wanted; champion.enabled=true crowns one")]
    if winner is None:
        verdict, why = last_verdict({event.step: event.facts for event in record.state.champion})
        return [("champion", f"none, refused: {why}")] if verdict == "refused" else []
    scores = ", ".join(f"{name} {_interval(found)}" for name, found in winner.test.items())
    of = "an earlier study" if winner.trial is None else f"trial {winner.trial}"
    stays = f"; it stays: {winner.why}" if winner.verdict in ("keep", "refused") else ""
    return [
        ("champion", f"{winner.model} version {winner.version}, {of}{stays}"),
        ("test", scores),
    ]


def _where(record: StudyRecord, uri: str) -> list[tuple[str, str]]:
    page = record.home.report(record.study.name)
    served = servers.page(record.home, "mlflow")
    command = f"{_mlflow()} ui --backend-store-uri {shlex.quote(uri)}"
    shown = (served or command) if uri.startswith("sqlite") else uri
    return [("report", str(page))] * page.exists() + [("compare", shown)]


def _mlflow() -> str:
    """The command as the user's shell finds it; the one beside this Python where it does not."""
    if shutil.which("mlflow"):
        return "mlflow"
    beside, here = Path(sys.executable).parent / "mlflow", Path.cwd()
    return shlex.quote(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))


def _interval(found: Interval) -> str:
    return f"{words.number(found.value)} ({words.interval(found.low, found.high)})"


def _curve(curve: list[MetricLine]) -> Table:
    names = list(curve[-1].metrics)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("epoch", *names, "seconds"):
        table.add_column(name, justify="right")
    for line in curve:
        cells = [words.number(line.metrics.get(name)) for name in names]
        table.add_row(str(line.epoch), *cells, f"{line.seconds:.2f}")
    return table


def _as_study_file(record: StudyRecord) -> str:
    """The best configuration as a study to start from: its trial 0 is the winner."""
    best = record.best
    assert best is not None
    sections = {name: getattr(best.config, name) for name in TRIAL_SECTIONS}
    study = record.study.model_copy(update={**sections, "name": f"{record.study.name}-next"})
    return f"# trial {best.number} of {record.study.name}\n{as_study_file(study)}".rstrip()
