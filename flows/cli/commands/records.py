"""Commands for the records of studies: sync, compare, replay, export, import, clean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.commands.arguments import NameArgument

app = typer.Typer()


@app.command()
def sync(study: NameArgument) -> None:
    """Rebuild the MLflow record from the study's journal and trial folders."""
    from flows.cli.show import sync_study

    sync_study(study)


@app.command()
def compare(
    first: Annotated[
        str, typer.Argument(metavar="A", help="A study, a trial (digits/3) or digits@champion.")
    ],
    second: Annotated[
        str, typer.Argument(metavar="B", help="The study, trial or champion to compare it with.")
    ],
) -> None:
    """Compare two studies, trials or champions, in the terminal and as a page."""
    from flows.cli.compare import show_comparison

    show_comparison(first, second)


@app.command()
def clean(
    days: Annotated[
        float, typer.Option(min=0.0, help="Keep what was used in the last DAYS days.")
    ] = 1.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be removed.")
    ] = False,
) -> None:
    """Remove prepared data and fetched assets that no study uses."""
    from flows.cli.clean import clean

    clean(days=days, dry_run=dry_run)


@app.command()
def replay(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="A study that ran, or the id of a run in MLflow.")
    ],
    number: Annotated[
        int | None,
        typer.Argument(metavar="[N]", min=0, help="Trial number. Default: the champion."),
    ] = None,
) -> None:
    """Train a trial or the champion again and check that the result is bit-identical."""
    from flows.cli.replay import replay

    raise typer.Exit(replay(study, number))


@app.command("export")
def export_(
    study: NameArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="Path of the archive. Default: STUDY.tar.gz.")
    ] = None,
    data: Annotated[bool, typer.Option("--data", help="Include the prepared data.")] = False,
    weights: Annotated[
        bool,
        typer.Option(
            "--weights", help="Include the weights of all trials, not only of the champion."
        ),
    ] = False,
) -> None:
    """Pack a study into one archive: configuration, record, card, report, environment."""
    from flows.cli.archive import export_study

    export_study(study, out, data=data, weights=weights)


@app.command("import")
def import_(archive: Annotated[Path, typer.Argument(metavar="ARCHIVE")]) -> None:
    """Restore a study from an archive and verify every file."""
    from flows.cli.archive import import_study

    import_study(archive)
