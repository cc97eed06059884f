"""`dense predict`, `dense promote`, `dense rollback`: the registered model, used and moved."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from tasks.registry.aliases import model_of, parse_model

if TYPE_CHECKING:
    import pandas as pd

    from tasks.registry.promote import Moved

WRITES = (".csv", ".jsonl", ".parquet")


def predict(name: str, file: Path, out: Path | None, *, strict: bool = False) -> None:
    """Write a model's answers for the rows of a file: to `out`, else as CSV to stdout; `name` is as
    for `parse_model`.

    Raises:
        BadInput: there is no such model, the file has no rows that it takes, or `out` is of a kind
            that cannot be written.
    """
    if out is not None and out.suffix not in WRITES:
        raise BadInput(f"--out {out}: answers are written as {', '.join(WRITES)}")
    from tasks.scoring.predict import predict_file
    from tasks.track.store import mlflow_session

    home = Home.open()
    model, which = parse_model(home, name)
    with mlflow_session(home) as client:
        answers, remarks = predict_file(client, model, file, which, strict=strict)
    for remark in remarks:
        print(remark, file=sys.stderr)
    if out is None:
        answers.to_csv(sys.stdout, index=False)
    else:
        write_answers(answers, out)
        print(f"{len(answers):,} rows answered in {out}", file=sys.stderr)


def write_answers(answers: pd.DataFrame, out: Path) -> None:
    """Write a table in the kind that the file's name asks for."""
    if out.suffix == ".parquet":
        answers.to_parquet(out, index=False)
    elif out.suffix == ".jsonl":
        write_atomically(out, answers.to_json(orient="records", lines=True))
    else:
        write_atomically(out, answers.to_csv(index=False))


def promote(name: str, version: str | None) -> None:
    """Make a version the champion; without a number the newest candidate."""
    from tasks.registry.promote import promote
    from tasks.track.store import mlflow_session

    home = Home.open()
    with mlflow_session(home) as client:
        moved = promote(client, home, model_of(home, name), version)
    print(sentence(moved) + (f"; `dense rollback {name}` goes back" if moved.before else ""))


def rollback(name: str) -> None:
    """Make the version before the present one the champion again."""
    from tasks.registry.promote import rollback
    from tasks.track.store import mlflow_session

    home = Home.open()
    with mlflow_session(home) as client:
        moved = rollback(client, home, model_of(home, name))
    print(
        f"{sentence(moved)}; no run brings version {moved.before} back, "
        f"`dense promote {name} {moved.before}` does"
    )


def sentence(moved: Moved) -> str:
    """Who holds the alias now."""
    before = f"version {moved.before} was" if moved.before else "nobody was before"
    return f"version {moved.now.version} of {moved.now.model} is champion ({before})"
