"""Garbage collection of prepared data, features and assets: what no study uses any more.

Safe beside running studies: what a study or a trial names stays, so does what was used lately, and
what a process is making is under its lock. Who has a removed file open keeps it until the end.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from data.assets.catalogue import ARCHIVES
from data.assets.fetch import lock as asset_lock
from data.sources.hub import HUB
from data.transforms.synonyms import ASSET
from tasks.prepare.store.pin import PIN, pinned_key
from tasks.prepare.store.store import lock as data_lock

DAY = 86_400.0

Kind = Literal["data", "features", "asset"]
Lock = Callable[..., AbstractContextManager[bool]]


@dataclass(frozen=True)
class Unused:
    """A folder that no study uses: its path, its bytes, and when it was last used.

    The features of a data key are used where the key is.
    """

    kind: Kind
    path: Path
    size: int
    used: float

    @property
    def name(self) -> str:
        """The key or the asset; also of what a killed process left half made."""
        name = self.path.name
        return name.lstrip(".").rpartition(".")[0] if name.startswith(".") else name


def used_keys(home: Home) -> set[str]:
    """Data keys that a study began with, or that a trial's specification names.

    Raises:
        BadInput: a file that would say so is damaged.
    """
    studies = (home.path / "studies").glob(f"*/{PIN}")
    found = {key for pin in studies if (key := pinned_key(home, pin.parent.name))}
    for spec in (home.path / "trials").glob("*/*/spec.json"):
        try:
            found.add(Path(_json(spec)["train"]).parent.parent.name)
        except (KeyError, TypeError) as error:
            raise _damaged(spec) from error
    return found


def used_assets(home: Home) -> set[str]:
    """Folders of the assets that the configuration of a study names.

    Raises:
        BadInput: a study's configuration is damaged.
    """
    words: set[str] = set()
    for study in (home.path / "studies").glob("*/study.json"):
        words |= set(_strings(_json(study)))
    words |= {ASSET[language] for language in words & ASSET.keys()}
    return {ARCHIVES[name].folder for name in words & ARCHIVES.keys()} | words & {HUB}


def unused(home: Home, *, days: float = 0.0, now: float | None = None) -> list[Unused]:
    """What no study uses and nobody has used for so many days, in order of its name.

    What a killed process left half made counts too, as soon as nobody holds its lock.

    Raises:
        BadInput: a file that says what is used is damaged.
    """
    before = (time.time() if now is None else now) - days * DAY
    keys, assets = used_keys(home), used_assets(home)
    found = [
        *_folders("data", home.data, keys),
        *_folders("features", home.features, keys),
        *_folders("asset", home.assets, assets),
    ]
    return [one for one in found if one.used <= before and not _held(home, one)]


def collect(home: Home, *, days: float = 0.0, now: float | None = None) -> list[Unused]:
    """Remove what is unused, and say what was removed.

    A folder is first renamed, so that nobody opens one that is half gone.

    Raises:
        BadInput: a file that says what is used is damaged; nothing is removed.
    """
    removed = []
    for one in unused(home, days=days, now=now):
        with _lock(one)(home, one.name, wait=False) as free:
            # Somebody may have taken it up since it was looked at.
            if free and one.path.is_dir() and one.path.stat().st_mtime == one.used:
                gone = one.path.with_name(f".{one.name}.gone")
                shutil.rmtree(gone, ignore_errors=True)
                one.path.rename(gone)
                shutil.rmtree(gone)
                removed.append(one)
    return removed


def _folders(kind: Kind, place: Path, used: set[str]) -> Iterator[Unused]:
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        if path.is_dir() and path.name not in used:
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            yield Unused(kind, path, size, path.stat().st_mtime)


def _held(home: Home, one: Unused) -> bool:
    with _lock(one)(home, one.name, wait=False) as free:
        return not free


def _lock(one: Unused) -> Lock:
    return asset_lock if one.kind == "asset" else data_lock


def _strings(value: Any) -> Iterator[str]:
    """Every word of a configuration: a name among them keeps what it stands for."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> BadInput:
    return BadInput(
        f"{path} is damaged, so what it uses is not known, and nothing is removed; "
        "restore it from a copy, or delete its folder"
    )
