"""Garbage collection of prepared data and assets: what no study uses any more."""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conf.home import Home
from tasks.prepare.pin import PIN

DAY = 86_400.0


@dataclass(frozen=True)
class Unused:
    """A folder that no study uses: its path, its bytes, and when it was last written."""

    path: Path
    size: int
    written: float


def used_keys(home: Home) -> set[str]:
    """Data keys that a study began with, or that a trial's specification names."""
    studies = home.path / "studies"
    found = {str(json.loads(pin.read_text())["key"]) for pin in studies.glob(f"*/{PIN}")}
    for spec in (home.path / "trials").glob("*/*/spec.json"):
        train = Path(json.loads(spec.read_text())["train"])
        found.add(train.parent.parent.name)
    return found


def unused_data(home: Home, *, days: float = 0.0, now: float | None = None) -> list[Unused]:
    """Prepared data that no study uses and that is older than so many days.

    What a killed process left half written counts too, as soon as nobody holds its lock.
    """
    now = time.time() if now is None else now
    used = used_keys(home)
    out = []
    for path in sorted(home.data.iterdir()) if home.data.is_dir() else []:
        if not path.is_dir() or path.name in used:
            continue
        written = path.stat().st_mtime
        if now - written >= days * DAY and not _held(home, path.name.strip(".").split(".")[0]):
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            out.append(Unused(path, size, written))
    return out


def collect(home: Home, *, days: float = 0.0, now: float | None = None) -> list[Unused]:
    """Remove unused prepared data and say what was removed.

    A folder is first renamed, so that nobody opens one that is half gone.
    """
    removed = unused_data(home, days=days, now=now)
    for one in removed:
        with _lock(home, one.path.name.strip(".").split(".")[0]) as free:
            if free:
                gone = one.path.with_name(f".gone.{one.path.name.strip('.')}")
                one.path.rename(gone)
                shutil.rmtree(gone)
    return removed


def _held(home: Home, key: str) -> bool:
    with _lock(home, key) as free:
        return not free


@contextmanager
def _lock(home: Home, key: str) -> Iterator[bool]:
    """The key's lock, if it is free; whether it was is what `with` gives."""
    with (home.data / f"{key}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
