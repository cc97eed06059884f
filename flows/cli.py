"""The `dense` command: thin over the flows, and quick to answer.

Nothing heavy is imported here; each command imports what it needs when it is called.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from conf.errors import BadInput, DenseError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Dense experiments on foundation models: one YAML study, from raw data to a champion.",
)

StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's name, or the path of a YAML file.")
]
NameArgument = Annotated[str, typer.Argument(metavar="STUDY", help="The name of a study that ran.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[path=value ...]", help="Settings that replace the file's."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object as the last line of stdout.")]


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Options of every command."""
    global _debug
    _debug = debug


_debug = False

NAMED_FILE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
"""Of a file that the user named. Any other trouble with files is the machine's."""


@app.command()
def run(
    study: StudyArgument,
    overrides: Overrides = None,
    more: Annotated[int, typer.Option(min=0, help="So many trials beyond the last target.")] = 0,
    json: Json = False,
) -> None:
    """Run a study, or continue it."""
    from flows.command import run_study

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
    """Look at data and write a commented study for it."""
    from flows.new import new_study

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
    from flows.command import check_study

    check_study(study, tuple(overrides or ()), attempt=attempt)


@app.command()
def enqueue(
    study: NameArgument,
    settings: Annotated[
        list[str], typer.Argument(metavar="key=value ...", help="Settings to try next.")
    ],
) -> None:
    """Let a study try a configuration of yours next, also while it runs."""
    from flows.enqueue import enqueue

    print(enqueue(study, settings))


@app.command()
def status(study: Annotated[str | None, typer.Argument(metavar="[STUDY]")] = None) -> None:
    """Say where one study stands, or all of them."""
    from flows.views import show_status

    show_status(study)


@app.command()
def best(
    study: NameArgument,
    yaml: Annotated[bool, typer.Option("--yaml", help="As a study file to start from.")] = False,
) -> None:
    """Show the best configuration found."""
    from flows.views import show_best

    show_best(study, as_yaml=yaml)


@app.command()
def show(
    study: NameArgument,
    number: Annotated[int | None, typer.Argument(metavar="[N]", min=0)] = None,
) -> None:
    """Show a study's leaderboard, or one trial in full."""
    from flows.views import show_study, show_trial

    if number is None:
        show_study(study)
    else:
        show_trial(study, number)


@app.command()
def report(study: NameArgument) -> None:
    """Build the study's HTML page from its record."""
    from flows.views import build_report

    build_report(study)


@app.command()
def stop(study: NameArgument) -> None:
    """Ask a running study to save its trials and end."""
    from flows.views import stop_study

    stop_study(study)


@app.command()
def sync(study: NameArgument) -> None:
    """Rebuild the MLflow record from the study's journal and trial folders."""
    from flows.views import sync_study

    sync_study(study)


@app.command()
def evaluate(
    study: NameArgument,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help=".csv, .parquet, .jsonl, or a folder of images."),
    ],
) -> None:
    """Score the study's champion on files of rows with their targets."""
    from flows.scoring import evaluate

    evaluate(study, files)


@app.command()
def predict(
    study: NameArgument,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help=".csv, .parquet, .jsonl, .npy, an image, or a folder."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="A .csv, .jsonl or .parquet; CSV is printed else.")
    ] = None,
) -> None:
    """Answer the rows of a file by the study's champion."""
    from flows.champion import predict

    predict(study, file, out)


@app.command()
def monitor(
    study: NameArgument,
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A file of rows, or a folder that gets them.")
    ],
    again: Annotated[
        bool, typer.Option("--all", help="Every file of the folder, also what was seen.")
    ] = False,
    json: Json = False,
) -> None:
    """Say whether new rows still look like those that the study's champion was made from."""
    from flows.watching import show

    show(study, path, again=again, json_only=json)


@app.command()
def compress(
    study: NameArgument,
    recipes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE...]", help="int8, onnx, onnx-int8; the study's own else."),
    ] = None,
) -> None:
    """Make the study's champion small: measure recipes, register the chosen one as `small`."""
    from flows.compression import compress

    compress(study, recipes or ())


@app.command()
def promote(
    study: NameArgument,
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="The newest candidate when absent.")
    ] = None,
) -> None:
    """Make a registered version the champion, whatever the gate said."""
    from flows.champion import promote

    promote(study, version)


@app.command()
def rollback(study: NameArgument) -> None:
    """Make the version before the present champion the champion again."""
    from flows.champion import rollback

    rollback(study)


@app.command()
def compare(
    first: Annotated[
        str, typer.Argument(metavar="A", help="A study, a trial (digits/3) or digits@champion.")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="What it is compared with.")],
) -> None:
    """Compare two studies, two trials or two champions; also as a page."""
    from flows.comparison import show_comparison

    show_comparison(first, second)


@app.command()
def clean(
    days: Annotated[
        float, typer.Option(min=0.0, help="Keep what was used in so many days before now.")
    ] = 1.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove prepared data and fetched assets that no study uses."""
    from flows.clean import clean

    clean(days=days, dry_run=dry_run)


@app.command()
def replay(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="A study that ran, or the id of a run in MLflow.")
    ],
    number: Annotated[
        int | None, typer.Argument(metavar="[N]", min=0, help="The champion when absent.")
    ] = None,
) -> None:
    """Train a trial or the champion again, and say whether every bit is the same."""
    from flows.replay import replay

    raise typer.Exit(replay(study, number))


@app.command("export")
def export_(
    study: NameArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="The archive; STUDY.tar.gz here when absent.")
    ] = None,
    data: Annotated[bool, typer.Option("--data", help="With the prepared data.")] = False,
    weights: Annotated[
        bool, typer.Option("--weights", help="With the trials' weights, not the champion's alone.")
    ] = False,
) -> None:
    """Pack a study into one archive: configuration, record, card, report, environment."""
    from flows.archive import export_study

    export_study(study, out, data=data, weights=weights)


@app.command("import")
def import_(archive: Annotated[Path, typer.Argument(metavar="ARCHIVE")]) -> None:
    """Restore a study from an archive, every file checked."""
    from flows.archive import import_study

    import_study(archive)


Port = Annotated[int, typer.Option(min=1, max=65_535)]


@app.command()
def up(
    prefect_port: Port = 4200,
    mlflow_port: Port = 5000,
    detach: Annotated[bool, typer.Option("--detach", help="In the background.")] = False,
    postgres: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Keep both servers' records in PostgreSQL, from now on."),
    ] = None,
) -> None:
    """Keep Prefect's and MLflow's servers and a worker with the deployments up."""
    from flows.programs import Ports
    from flows.up import up

    up(Ports(prefect_port, mlflow_port), detach=detach, postgres=postgres)


@app.command()
def down() -> None:
    """End what `dense up` keeps up."""
    from flows.up import down

    down()


@app.command()
def ps() -> None:
    """Say what is up, where, and whether it answers."""
    from flows.up import ps

    ps()


def main() -> None:
    """Entry point: errors become one sentence and an exit code."""
    try:
        app()
    except DenseError as error:
        fail(error)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except OSError as error:
        kind = BadInput if isinstance(error, NAMED_FILE) else DenseError
        fail(kind(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")))
    except Exception as error:  # a library's, or a mistake of ours: said in a sentence all the same
        what = (str(error).strip().splitlines() or [""])[0][:300]
        said = ": ".join(filter(None, (type(error).__name__, what)))
        fail(DenseError(f"{said}; what was done is kept, run again; `dense --debug` says where"))


def fail(error: DenseError) -> None:
    """Print the sentence, or the traceback with `--debug`, and end with the error's exit code."""
    if _debug:
        raise error
    print(f"dense: {error}", file=sys.stderr)
    raise SystemExit(error.exit_code)


if __name__ == "__main__":
    main()
