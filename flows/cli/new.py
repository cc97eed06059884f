"""`dense new`: look at data, write a study for it, and say what was assumed."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from conf.loading.load import OWN_STUDIES, load_study, study_names
from conf.runtime.allowed_paths import VARIABLE, roots
from conf.runtime.errors import BadInput
from conf.runtime.home import Home

if TYPE_CHECKING:  # Arrow and Pillow are imported only when something is read
    from tasks.draft.image_folder import Folder
    from tasks.draft.table_profile import Sheet

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def new_study(name: str, data: Path, target: str | None) -> None:
    """Write a study file for the data, and print what it is about.

    Raises:
        BadInput: the name is taken or none, or nothing can be learnt from the data; no file is
            written.
    """
    from tasks.draft.choose import draft
    from tasks.draft.findings import inspect

    file = _free(name)
    path = data.expanduser().resolve()
    found = _looked(path)
    place, opened = _place(path)
    command = f"dense run {name if os.environ.get(OWN_STUDIES) else file.name}"
    new = draft(found, place, target)
    file.write_text(new.text(name, opened + command), encoding="utf-8")
    try:
        study = load_study(str(file), allow_path=True)
        with _opened(path):
            findings = inspect(study, Home.open())
        if rules := findings.rules():
            new.add("clean", "Rules that found something in the data.", rules)
            file.write_text(new.text(name, opened + command), encoding="utf-8")
            load_study(str(file), allow_path=True)
    except BadInput:
        file.unlink()
        raise
    new.assumed.extend(findings.sentences())
    print(f"wrote {file}: {new.about}")
    print("assumed")
    print("\n".join(f"  {line}" for line in new.assumed))
    print(f"see the plan, and run it\n  {opened}{command.replace('run', 'check', 1)}")
    print(f"  {opened}{command}")


@contextmanager
def _opened(path: Path) -> Iterator[None]:
    """Open the data's folder to this process, as the printed command line does."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = os.pathsep.join([*filter(None, [before]), str(path.parent)])
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def _free(name: str) -> Path:
    """The file to write: in the folder of own studies, else here."""
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} is no study's name; use lower-case letters, digits and dashes, at most 63"
        )
    folder = Path(os.environ.get(OWN_STUDIES) or ".").expanduser()
    if name in study_names() or (folder / f"{name}.yaml").exists():
        raise BadInput(f"there is a study {name!r} already; choose another name, or remove it")
    return folder / f"{name}.yaml"


def _looked(path: Path) -> Sheet | Folder:
    from data.sources.table_file import READABLE, container_of
    from tasks.draft.image_folder import read_folder
    from tasks.draft.table_profile import read_sheet

    if path.is_dir():
        return read_folder(path)
    if not path.is_file():
        raise BadInput(f"--data: there is nothing at {path}; check the path")
    if container_of(path) is None:
        raise BadInput(f"--data: {path} is no {READABLE} and no folder of images; save it so")
    return read_sheet(path)


def _place(path: Path) -> tuple[str, str]:
    """The path as the study names it, and what opens its folder to studies on a command line."""
    allowed = roots(Home.open())
    for root in allowed:
        if path.is_relative_to(root):
            inner = str(path.relative_to(root))
            found = next((one for one in allowed if (one / inner).exists()), root)
            return (inner if found == root else str(path)), ""
    opened = os.pathsep.join([*filter(None, [os.environ.get(VARIABLE)]), str(path.parent)])
    return path.name, f"{VARIABLE}={shlex.quote(opened)} "
