"""Arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's name, or the path of a YAML file.")
]
NameArgument = Annotated[str, typer.Argument(metavar="STUDY", help="The name of a study that ran.")]
ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A study or registered model (its champion), or a version: digits@small, digits@3.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[path=value ...]", help="Settings that override the file."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")
]
