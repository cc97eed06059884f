"""Unpacking: only what is wanted, nowhere else, and never more than there is room for."""

from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from data.assets import fetch
from data.assets.fetch import Archive, fetched, unpack


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_a_tar_inside_a_tar_is_read(tmp_path: Path):
    inner = tar({"deep/wanted.txt": b"yes", "deep/other.txt": b"no"})
    outer = tmp_path / "outer.tar.gz"
    outer.write_bytes(tar({"pkg/inner.tar.gz": inner, "pkg/setup.py": b"raise SystemExit"}))
    unpack(outer, ("*/inner.tar.gz!*/wanted.txt",), tmp_path / "out")
    assert [p.read_text() for p in (tmp_path / "out").rglob("*") if p.is_file()] == ["yes"]


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path):
    outer = tmp_path / "outer.tar.gz"
    outer.write_bytes(tar({"a": b""}))
    with pytest.raises(DenseError, match="holds no file"):
        unpack(outer, ("b",), tmp_path / "out")


@pytest.mark.parametrize("name", ["../escape.txt", "/escape.txt", "a/../../escape.txt"])
def test_no_file_is_written_outside(tmp_path: Path, name: str):
    outer = tmp_path / "outer.tar.gz"
    outer.write_bytes(tar({name: b"x"}))
    with pytest.raises(DenseError, match="outside"):
        unpack(outer, ("*escape.txt",), tmp_path / "out")
    assert not list(tmp_path.rglob("escape.txt"))


def test_a_link_is_passed_over(tmp_path: Path):
    outer = tmp_path / "outer.tar"
    with tarfile.open(outer, "w") as archive:
        link = tarfile.TarInfo("data.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DenseError, match="holds no file"):
        unpack(outer, ("data.txt",), tmp_path / "out")


@pytest.mark.parametrize("limit", ["MOST_BYTES", "MOST_FILES"])
def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path, monkeypatch, limit: str):
    monkeypatch.setattr(fetch, limit, 3 if limit == "MOST_FILES" else 10_000)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"{number}.txt", b"0" * 1_000_000 if limit == "MOST_BYTES" else b"0")
    with pytest.raises(DenseError, match="refused"):
        unpack(bomb, ("*.txt",), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_asset_is_fetched_once_and_checked(home: Home, tmp_path: Path, monkeypatch):
    file = tmp_path / "made.tar.gz"
    file.write_bytes(tar({"a.txt": b"hello"}))
    import hashlib

    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    archive = Archive("made", "1", False, digest, "none", ("a.txt",))
    calls = []
    monkeypatch.setattr(fetch, "_download", lambda *a: calls.append(a) or file)
    assert (fetched(archive, home) / "a.txt").read_text() == "hello"
    assert fetched(archive, home).is_dir()
    assert len(calls) == 1
    other = replace(archive, sha256="0" * 64)
    with pytest.raises(BadInput, match="sha256"):
        fetched(other, home)
    assert not (home.assets / other.folder).exists()
