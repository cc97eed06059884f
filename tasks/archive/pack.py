"""`dense export`: a study's files, and what they were made with, in one checked archive."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from conf.runtime.atomic_write import atomic_file
from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from conf.runtime.provenance import environment
from tasks.archive.manifest import MANIFEST, Manifest, Packed
from tasks.prepare.store.pin import pinned_key
from tasks.prepare.store.store import CARD, open_prepared
from tasks.report.reproduce import as_yaml
from tasks.study.lock import Holder, lock_study
from tasks.study.reader import StudyRecord

LEFT_OUT = ("lock",)
CHECKPOINTS = "checkpoints"
ABOUT = "about"


def export(
    home: Home, name: str, out: Path, holder: Holder, *, data: bool = False, weights: bool = False
) -> Manifest:
    """Write a study to an archive, whole or not at all.

    Args:
        home: where the study is.
        name: of the study, which nobody may be running.
        out: the archive, a gzipped tar; it must not be there yet.
        holder: this process, named as the study's holder meanwhile.
        data: with the prepared data too, the test part included.
        weights: with the weights and checkpoints of trials too; the champion's always are.

    Raises:
        BadInput: there is no such study, or something is at `out`.
        Held: somebody runs the study.
        DenseError: a file of it cannot be read, or the archive not be written.
    """
    record = StudyRecord.read(home, name)
    if out.exists():
        raise BadInput(f"{out} is there already; move it away, or give another --out")
    with lock_study(record.folder / "lock", holder):
        record = StudyRecord.read(home, name)
        key = pinned_key(home, name)
        if data and (key is None or open_prepared(home, key) is None):
            raise BadInput(f"the data of {name!r} is not prepared here; export without --data")
        files = dict(_files(home, name, key if data else None, weights))
        about = _about(record, key)
        manifest = Manifest(
            study=name,
            home=str(home.path),
            data=key,
            with_data=data,
            environment=environment(),
            files={
                **{inner: _of_bytes(content) for inner, content in about.items()},
                **{inner: _of_file(path) for inner, path in files.items()},
            },
        )
        try:
            _write(out, manifest, about, files)
        except OSError as error:
            raise DenseError(
                f"{out} cannot be written ({error.strerror}: {error.filename})"
            ) from error
    return manifest


def _files(home: Home, name: str, key: str | None, weights: bool) -> Iterator[tuple[str, Path]]:
    """Path within the home to each file that belongs to a study."""
    roots = [home.study(name), home.trials(name), *([home.data / key] if key else [])]
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.is_symlink() or not path.is_file() or path.name in LEFT_OUT:
                continue
            inner = path.relative_to(root)
            if inner.parts[0] == ABOUT or path.name.startswith("."):
                continue  # of the archive that the study came from; half-written
            if root == home.trials(name) and not _wanted(inner, weights):
                continue
            yield path.relative_to(home.path).as_posix(), path
    page = home.report(name)
    if page.is_file():
        yield page.relative_to(home.path).as_posix(), page


def _wanted(inner: Path, weights: bool) -> bool:
    """Weights of trials are large and can be trained again, so they are asked for."""
    return weights or CHECKPOINTS not in inner.parts or inner.parts[0].startswith("champion-")


def _about(record: StudyRecord, key: str | None) -> dict[str, bytes]:
    """What people look for first, in readable form: configuration, data card, environment."""
    place = f"studies/{record.study.name}/{ABOUT}"
    found = {f"{place}/study.yaml": as_yaml(record.study).encode()}
    found[f"{place}/environment.json"] = _json(environment())
    prepared = open_prepared(record.home, key) if key else None
    if prepared is not None:
        found[f"{place}/data-{CARD}"] = _json(prepared.card.as_json())
    return found


def _json(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _of_bytes(content: bytes) -> Packed:
    return Packed(size=len(content), sha256=hashlib.sha256(content).hexdigest())


def _of_file(path: Path) -> Packed:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Packed(size=file.tell(), sha256=digest)


def _write(
    out: Path, manifest: Manifest, about: Mapping[str, bytes], files: Mapping[str, Path]
) -> None:
    with atomic_file(out, sync="file", existing="refuse") as raw:
        with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as archive:
            _add(archive, MANIFEST, manifest.model_dump_json(indent=1).encode())
            for inner, content in about.items():
                _add(archive, inner, content)
            for inner, path in files.items():
                with path.open("rb") as file:
                    member = _member(inner, manifest.files[inner].size)
                    archive.addfile(member, file)
        os.fchmod(raw.fileno(), 0o644)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    archive.addfile(_member(name, len(content)), io.BytesIO(content))


def _member(name: str, size: int) -> tarfile.TarInfo:
    """A plain file of nobody's, of no time: the same study packs to the same members."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member
