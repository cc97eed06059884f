"""Commands for studies: create, check, run, inspect, stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.commands.arguments import Json, NameArgument, Overrides, StudyArgument

app = typer.Typer()


@app.command()
def run(
    study: StudyArgument,
    overrides: Overrides = None,
    more: Annotated[int, typer.Option(min=0, help="Number of trials beyond the last target.")] = 0,
    json: Json = False,
) -> None:
    """Run a study, or continue it."""
    from flows.cli.run import run_study

    raise typer.Exit(run_study(study, tuple(overrides or ()), more=more, json_only=json))


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new study's name.")],
    data: Annotated[
        Path, typer.Option("--data", help=".csv, .tsv, .parquet, .jsonl, or a folder of images.")
    ],
    target: Annotated[
        str | None, typer.Option("--target", metavar="COLUMN", help="The column to predict.")
    ] = None,
) -> None:
    """Inspect data and write a commented study file for it."""
    from flows.cli.new import new_study

    new_study(name, data, target)


@app.command()
def check(
    study: StudyArgument,
    overrides: Overrides = None,
    attempt: Annotated[
        bool, typer.Option("--try", help="Train and validate one batch; record nothing.")
    ] = False,
) -> None:
    """Validate a study and print its plan."""
    from flows.cli.run import check_study

    check_study(study, tuple(overrides or ()), attempt=attempt)


@app.command()
def enqueue(
    study: NameArgument,
    settings: Annotated[
        list[str], typer.Argument(metavar="key=value ...", help="Settings to try next.")
    ],
) -> None:
    """Enqueue a configuration as the next trial, even while the study runs."""
    from flows.cli.enqueue import enqueue

    print(enqueue(study, settings))


@app.command()
def status(study: Annotated[str | None, typer.Argument(metavar="[STUDY]")] = None) -> None:
    """Show the progress of one study, or of all."""
    from flows.cli.show import show_status

    show_status(study)


@app.command()
def best(
    study: NameArgument,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Print it as a study file to start from.")
    ] = False,
) -> None:
    """Show the best configuration found."""
    from flows.cli.show import show_best

    show_best(study, as_yaml=yaml)


@app.command()
def show(
    study: NameArgument,
    number: Annotated[int | None, typer.Argument(metavar="[N]", min=0)] = None,
) -> None:
    """Show the leaderboard of a study, or the details of one trial."""
    from flows.cli.show import show_study, show_trial

    if number is None:
        show_study(study)
    else:
        show_trial(study, number)


@app.command()
def report(study: NameArgument) -> None:
    """Build the study's HTML page from its record."""
    from flows.cli.show import build_report

    build_report(study)


@app.command()
def stop(study: NameArgument) -> None:
    """Ask a running study to save its trials and end."""
    from flows.cli.show import stop_study

    stop_study(study)
