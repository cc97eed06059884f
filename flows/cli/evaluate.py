"""`dense evaluate`: the champion scored on files, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conf.runtime.home import Home
from tasks.registry.aliases import parse_model


def evaluate(name: str, files: Sequence[Path], metrics: Sequence[str] = ()) -> None:
    """Print a registered model's metrics on each file.

    `name` is as for `parse_model`; `metrics` are others than those of its study.

    Raises:
        BadInput: there is no such model or metric, or a file has not the rows or the targets.
    """
    from tasks.scoring.score_files import score_files, score_table
    from tasks.track.store import mlflow_session

    home = Home.open()
    model, which = parse_model(home, name)
    with mlflow_session(home) as client:
        found = score_files(client, model, files, which, metrics)
    print("\n".join(score_table(found)))
