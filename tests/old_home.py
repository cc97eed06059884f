"""A home that version 0.1 of this project made, restored where a test wants it.

`fixtures/home-0.1.tar.xz` holds a home with three studies, an archive of the first, and what the
first two champions predicted then:

- `small`: a network on digits, complete, with its champion;
- `forest`: estimators on wine, complete, with its champion;
- `killed`: rungs, killed with trials paused and running.
"""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

ARCHIVE = Path(__file__).parent / "fixtures" / "home-0.1.tar.xz"
PLACEHOLDER = "/dense/home"
"""Stands for the home's path in its files and in MLflow's database."""


def restore(folder: Path) -> Path:
    """Unpack the archive into a folder and return the path of the home in it."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    home = folder / "home"
    for path in home.rglob("*"):
        if path.name in ("spec.json", "MLmodel"):
            path.write_text(path.read_text().replace(PLACEHOLDER, str(home)))
    _relocate_database(home / "mlflow.db", str(home))
    return home


def _relocate_database(path: Path, home: str) -> None:
    columns = [
        ("runs", "artifact_uri"),
        ("datasets", "dataset_source"),
        ("experiments", "artifact_location"),
    ]
    with closing(sqlite3.connect(path)) as database, database:
        for table, column in columns:
            database.execute(
                f'update "{table}" set "{column}" = replace("{column}", ?, ?)', (PLACEHOLDER, home)
            )
