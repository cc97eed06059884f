"""The store: a folder a data key, written whole or not at all, checked when it is opened.

Layout of `home/data/<key>/`: `parts/train` and `parts/validation` (each opened by
`datasets.load_from_disk`), `test/` in a folder of its own, `card.json`, and `manifest.json` with
size and SHA-256 of every other file, written last. A folder without a manifest is no prepared data.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conf.runtime.atomic_write import sync_folder, write_atomically
from conf.runtime.errors import DenseError
from conf.runtime.file_lock import temporary_lock
from conf.runtime.home import Home
from data.card import DataCard
from tasks.prepare.store.key import file_sha256

MANIFEST = "manifest.json"
CARD = "card.json"


@dataclass(frozen=True)
class Prepared:
    """Prepared data as trials may see it: there is no way from here to the test split but one."""

    key: str
    path: Path
    train: Path
    validation: Path
    card: DataCard

    @property
    def card_path(self) -> Path:
        """The card as a file."""
        return self.path / CARD


def test_path(prepared: Prepared) -> Path:
    """The test split; for the champion step alone, never for a trial of the search."""
    return prepared.path / "test"


test_path.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test


def open_prepared(home: Home, key: str) -> Prepared | None:
    """The prepared data of a key, every file checked; None when it is not there yet.

    Raises:
        DenseError: a file is missing or its bytes are not those that were written.
    """
    path = home.data / key
    if not (path / MANIFEST).exists():
        return None
    for name, facts in _manifest(path).items():
        file = path / name
        if not file.is_file() or file.stat().st_size != facts["size"]:
            raise _damaged(path, name)
        if file_sha256(file) != facts["sha256"]:
            raise _damaged(path, name)
    os.utime(path)  # it is in use: nobody clears it away
    card = DataCard.read(path / CARD)
    return Prepared(key, path, path / "parts" / "train", path / "parts" / "validation", card)


def _manifest(path: Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of each file of a folder, by its path there."""
    try:
        files: dict[str, dict[str, Any]] = json.loads((path / MANIFEST).read_bytes())["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, MANIFEST) from error
    return files


def _damaged(path: Path, name: str) -> DenseError:
    return DenseError(
        f"prepared data {path} is damaged: {name} is not what was written; "
        f"delete the folder and run again to prepare it anew"
    )


def lock(home: Home, key: str, *, wait: bool = True) -> AbstractContextManager[bool]:
    """The key's lock; wait while another process (or thread) prepares the same key."""
    return temporary_lock(home.data / f"{key}.lock", wait=wait)


@contextmanager
def building(home: Home, key: str) -> Iterator[Path]:
    """A temporary folder that becomes `home/data/<key>` when the block ends without an error.

    The caller holds the key's lock and writes everything but the manifest.
    """
    for left in home.data.glob(f".{key}.*"):  # of a process that was killed; we hold its lock
        shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(dir=home.data, prefix=f".{key}."))
    try:
        yield folder
        _seal(folder)
        folder.chmod(0o755)
        shutil.rmtree(home.data / key, ignore_errors=True)  # without a manifest it is no data
        folder.rename(home.data / key)
        sync_folder(home.data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _seal(folder: Path) -> None:
    """Write the manifest last, once every other byte is on disk."""
    files = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
        facts = {"size": file.stat().st_size, "sha256": file_sha256(file)}
        files[str(file.relative_to(folder))] = facts
    for inner in (path for path in folder.rglob("*") if path.is_dir()):
        sync_folder(inner)
    write_atomically(folder / MANIFEST, json.dumps({"files": files}, indent=1))
