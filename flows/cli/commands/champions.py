"""Commands for a study's champion: score, predict, monitor, compress, ensemble, promote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.commands.arguments import Json, ModelArgument, NameArgument

app = typer.Typer()


@app.command()
def evaluate(
    study: ModelArgument,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help=".csv, .parquet, .jsonl, or a folder of images."),
    ],
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", help="Metric to compute instead of the study's own; repeatable."),
    ] = None,
) -> None:
    """Score a registered model on files with targets."""
    from flows.cli.evaluate import evaluate

    evaluate(study, files, metrics or ())


@app.command()
def predict(
    study: ModelArgument,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help=".csv, .parquet, .jsonl, .npy, an image, or a folder."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Output file: .csv, .jsonl or .parquet. Default: CSV on stdout."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse the file if one row cannot be answered.")
    ] = False,
) -> None:
    """Predict the rows of a file with a registered model."""
    from flows.cli.model import predict

    predict(study, file, out, strict=strict)


@app.command()
def monitor(
    study: NameArgument,
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A file of rows, or a folder that receives them.")
    ],
    again: Annotated[
        bool,
        typer.Option("--all", help="Read every file of the folder, including those read before."),
    ] = False,
    json: Json = False,
) -> None:
    """Test new rows for drift against the study's champion; exit code 4 is an alarm."""
    from flows.cli.monitor import show

    raise typer.Exit(show(study, path, again=again, json_only=json))


@app.command()
def compress(
    study: NameArgument,
    recipes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECIPE...]",
            help="int8, onnx, onnx-int8, prune, narrow, distill. Default: the study's own.",
        ),
    ] = None,
) -> None:
    """Compress the champion: measure recipes and register the chosen one as `small`."""
    from flows.cli.compress import compress

    compress(study, recipes or ())


@app.command()
def ensemble(study: NameArgument) -> None:
    """Combine the study's best trials into one model, score and register it as `ensemble`."""
    from flows.cli.ensemble import ensemble

    raise typer.Exit(ensemble(study))


@app.command()
def promote(
    study: NameArgument,
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="Default: the newest candidate.")
    ] = None,
) -> None:
    """Make a registered version the champion, regardless of the gate."""
    from flows.cli.model import promote

    promote(study, version)


@app.command()
def rollback(study: NameArgument) -> None:
    """Make the previous champion the champion again."""
    from flows.cli.model import rollback

    rollback(study)
