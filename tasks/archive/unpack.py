"""`dense import`: an archive restored in this home, after everything in it was checked.

An archive is untrusted input: nothing is written but plain files that its manifest names, of the
size and hash that it gives them, below the folders of the one study; first in a folder aside, then
moved, the study's own folder last, so that a study is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from tasks.archive.manifest import FORMAT, LARGEST, MANIFEST, Manifest, fits
from tasks.prepare.store.store import open_prepared
from tasks.study.reader import StudyRecord
from tasks.train.spec import TrialSpec

BLOCK = 1 << 20
SPEC = "spec.json"


def restore_archive(home: Home, archive: Path) -> Manifest:
    """Unpack a study into a home that has none of that name.

    Raises:
        BadInput: the file is no archive, is damaged or asks for what it must not, or the study is
            there already.
        DenseError: there is no room on the disk.
    """
    try:
        with tarfile.open(archive, "r:gz") as packed:
            manifest = _manifest(packed, archive)
            _refuse_present(home, manifest)
            _require_room(home, manifest)
            with tempfile.TemporaryDirectory(prefix=".import-", dir=home.path) as aside:
                _unpack(packed, manifest, Path(aside), archive)
                _check_study(Path(aside), home, manifest, archive)
                _move(Path(aside), home, manifest)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise BadInput(
            f"{archive} is no archive of `dense export`, or cut short ({error})"
        ) from error
    return manifest


def _manifest(packed: tarfile.TarFile, archive: Path) -> Manifest:
    first = packed.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > LARGEST:
        raise BadInput(f"{archive} is no archive of `dense export`: it begins with no manifest")
    try:
        manifest = Manifest.model_validate_json(_content(packed, first).read())
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise BadInput(
            f"{archive} has a manifest that this version does not read ({where}: "
            f"{error.errors()[0]['msg']})"
        ) from error
    if manifest.format != FORMAT:
        raise BadInput(f"{archive} has format {manifest.format}; this version reads {FORMAT}")
    if wrong := [path for path in manifest.files if not fits(path, manifest)]:
        raise BadInput(
            f"{archive} would write {wrong[0]!r}, which is outside the study "
            f"{manifest.study!r}; nothing was unpacked"
        )
    return manifest


def _refuse_present(home: Home, manifest: Manifest) -> None:
    for place in (home.study(manifest.study), home.trials(manifest.study)):
        if place.exists():
            raise BadInput(
                f"the home already has {place}; move it away, or import into another home "
                "(DENSE_HOME)"
            )


def _require_room(home: Home, manifest: Manifest) -> None:
    needed = sum(packed.size for packed in manifest.files.values())
    if needed > shutil.disk_usage(home.path).free:
        raise DenseError(
            f"the study needs {needed / 1e6:,.0f} MB, more than is free on the disk of {home.path}"
        )


def _unpack(packed: tarfile.TarFile, manifest: Manifest, aside: Path, archive: Path) -> None:
    seen: set[str] = set()
    while (member := packed.next()) is not None:
        known = manifest.files.get(member.name)
        if known is None or not member.isreg() or member.name in seen:
            raise BadInput(
                f"{archive} holds {member.name!r}, which its manifest does not name as a plain "
                "file; nothing was unpacked"
            )
        seen.add(member.name)
        target = aside / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        digest, size = _copy(_content(packed, member), target, known.size)
        if (size, digest) != (known.size, known.sha256):
            raise BadInput(
                f"{archive} is damaged: {member.name!r} is not what was packed; "
                "nothing was unpacked"
            )
    if missing := manifest.files.keys() - seen:
        raise BadInput(f"{archive} is cut short: it lacks {min(missing)!r}; nothing was unpacked")


def _content(packed: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = packed.extractfile(member)
    assert file is not None  # of a regular file there is content
    return file


def _copy(source: IO[bytes], target: Path, most: int) -> tuple[str, int]:
    """SHA-256 and size of what was copied; one byte beyond `most` at most."""
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as file:
        while block := source.read(min(BLOCK, most + 1 - size)):
            digest.update(block)
            file.write(block)
            size += len(block)
    return digest.hexdigest(), size


def _check_study(aside: Path, home: Home, manifest: Manifest, archive: Path) -> None:
    """The files are a study's: its configuration and journal are read as they will be."""
    there = Home(aside, home.id)
    name = manifest.study
    try:
        found = StudyRecord.read(there, name).study.name
        if manifest.with_data and manifest.data and open_prepared(there, manifest.data) is None:
            raise BadInput("its prepared data is not whole")
    except DenseError as error:
        raise BadInput(f"{archive} holds no whole study: {error}") from error
    if found != name:
        raise BadInput(f"{archive} calls itself {name!r} but holds the study {found!r}")
    for path in there.trials(name).glob(f"*/{SPEC}"):
        _rehome(path, manifest.home, str(home.path))


def _rehome(path: Path, old: str, new: str) -> None:
    """Let a specification name the data where it lies now."""
    try:
        spec = TrialSpec.read(path.parent)
    except DenseError:
        return  # as damaged as it was: the trial is trained again where it matters

    def moved(given: str) -> str:
        return new + given[len(old) :] if given.startswith(f"{old}/") else given

    changes = {
        "train": moved(spec.train),
        "validation": None if spec.validation is None else moved(spec.validation),
        "also": tuple(map(moved, spec.also)),
        "card": moved(spec.card),
        "slots_dir": "",
    }
    spec.model_copy(update=changes).write(path.parent)


def _move(aside: Path, home: Home, manifest: Manifest) -> None:
    there = Home(aside, home.id)
    if manifest.with_data and manifest.data:
        _place(there.data / manifest.data, home.data / manifest.data, keep=True)
    _place(there.report(manifest.study), home.report(manifest.study), keep=True)
    _place(there.trials(manifest.study), home.trials(manifest.study))
    _place(there.study(manifest.study), home.study(manifest.study))


def _place(source: Path, target: Path, *, keep: bool = False) -> None:
    """Move a file or folder where there is none; with `keep` what is there stays."""
    if not source.exists() or (keep and target.exists()):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
