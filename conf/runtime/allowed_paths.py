"""Local paths: confined to the folders that the user has opened to studies."""

from __future__ import annotations

import os
from pathlib import Path

from conf.runtime.errors import BadInput
from conf.runtime.home import Home

VARIABLE = "DENSE_DATA"


def roots(home: Home) -> list[Path]:
    """The folders that studies may read: those that `DENSE_DATA` names, and `home/sources`."""
    named = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    return [Path(part).expanduser().resolve() for part in named] + [
        (home.path / "sources").resolve()
    ]


def confined(given: str, home: Home, *, folder: bool = False, key: str = "data.path") -> Path:
    """The file or folder that a configuration names under a key, links resolved.

    Raises:
        BadInput: it lies outside the roots, or is not there.
    """
    allowed = roots(home)
    try:
        found = [(root / given).resolve() for root in allowed]  # an absolute path replaces the root
        there = any(path.exists() for path in found)
    except (OSError, ValueError) as error:  # too long, or with what no name of a file has
        raise BadInput(f"{key}: {given[:40]!r} can be no file's path; correct it") from error
    inside = [path for path in found if any(path.is_relative_to(root) for root in allowed)]
    for path in inside:
        if path.is_dir() if folder else path.is_file():
            return path
    places = ", ".join(map(str, allowed))
    if not inside or there:
        raise BadInput(
            f"{key}: {given} is outside the folders that studies may read ({places}); "
            f"name its folder in {VARIABLE}"
        )
    raise BadInput(
        f"{key}: there is no {'folder' if folder else 'file'} {given} in {places}; "
        f"check the path or name its folder in {VARIABLE}"
    )
