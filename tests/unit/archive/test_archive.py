"""A study packed and restored; and archives that somebody else has made."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conf.runtime.errors import BadInput, Held
from conf.runtime.home import Home
from tasks.archive.manifest import MANIFEST, Manifest, fits
from tasks.archive.pack import export
from tasks.archive.unpack import restore_archive
from tasks.study.lock import Holder, lock_study
from tasks.study.reader import StudyRecord
from tasks.train.spec import TrialSpec
from tests.unit.report.made import crowned, made_home, made_study

ME = Holder(os.getpid(), socket.gethostname(), 0.0)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Path]:
    """A study, and its archive."""
    home = made_home(tmp_path_factory.mktemp("archive"))
    record = crowned(home, made_study(home, trials=3, failed=(2,)))
    trial = record.trial(0)
    TrialSpec(
        study="digits", number=0, digest=trial.trial.digest, config=trial.config, seed=1,
        train=str(home.data / "k" / "train"), validation="/elsewhere/validation",
        card=str(home.data / "k" / "card.json"), until=12,
    ).write(trial.path)  # fmt: skip
    for folder in (trial.path, home.trials("digits") / "champion-12345678-1"):
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "checkpoints" / "weights.safetensors").write_bytes(b"weights")
        (folder / "lock").touch()
    home.report("digits").parent.mkdir()
    home.report("digits").write_text("<p>page</p>")
    out = home.path / "digits.tar.gz"
    export(home, "digits", out, ME)
    return home, out


def fresh(path: Path) -> Home:
    return Home.open(path / "other")


def test_what_is_restored_is_what_was_packed(packed: tuple[Home, Path], tmp_path: Path) -> None:
    home, out = packed
    there = fresh(tmp_path)
    assert restore_archive(there, out).study == "digits"
    was, now = StudyRecord.read(home, "digits"), StudyRecord.read(there, "digits")
    assert now.events == was.events and now.study == was.study
    for first, second in zip(was, now, strict=True):
        assert second.evaluation == first.evaluation and second.curve == first.curve
    assert there.report("digits").read_text() == "<p>page</p>"
    about = there.study("digits") / "about"
    assert json.loads((about / "environment.json").read_text())["python"]
    assert "name: digits" in (about / "study.yaml").read_text()
    assert not list(there.path.rglob("lock")) and not list(there.path.glob(".import-*"))


def test_specifications_name_the_new_home(packed: tuple[Home, Path], tmp_path: Path) -> None:
    there = fresh(tmp_path)
    restore_archive(there, packed[1])
    spec = TrialSpec.read(StudyRecord.read(there, "digits").trial(0).path)
    assert spec.train == str(there.data / "k" / "train")
    assert spec.validation == "/elsewhere/validation"


def test_weights_of_trials_are_asked_for(packed: tuple[Home, Path], tmp_path: Path) -> None:
    home, out = packed
    names = [name for name in members(out) if "weights" in name]
    assert names == ["trials/digits/champion-12345678-1/checkpoints/weights.safetensors"]
    whole = tmp_path / "whole.tar.gz"
    export(home, "digits", whole, ME, weights=True)
    assert len([name for name in members(whole) if "weights" in name]) == 2


def test_a_study_that_is_there_stays(packed: tuple[Home, Path], tmp_path: Path) -> None:
    there = fresh(tmp_path)
    restore_archive(there, packed[1])
    journal = (there.study("digits") / "journal.jsonl").read_bytes()
    with pytest.raises(BadInput, match="the home already has"):
        restore_archive(there, packed[1])
    assert (there.study("digits") / "journal.jsonl").read_bytes() == journal


def test_a_study_that_is_run_is_not_packed(packed: tuple[Home, Path], tmp_path: Path) -> None:
    home, out = packed
    with lock_study(home.study("digits") / "lock", ME), pytest.raises(Held):
        export(home, "digits", tmp_path / "new.tar.gz", ME)
    assert not list(tmp_path.iterdir())
    before = out.read_bytes()
    with pytest.raises(BadInput, match="is there already"):
        export(home, "digits", out, ME)
    assert out.read_bytes() == before
    with pytest.raises(BadInput, match="is not prepared here"):
        export(home, "digits", tmp_path / "new.tar.gz", ME, data=True)


# Archives that nobody of ours has made


def members(out: Path) -> dict[str, bytes]:
    with tarfile.open(out) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]


def made(path: Path, given: dict[str, bytes], *more: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in given.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more:
            archive.addfile(member)
    return path


def with_file(given: dict[str, bytes], name: str, content: bytes = b"x") -> dict[str, bytes]:
    """The archive with one more file, which its manifest names properly."""
    manifest = json.loads(given[MANIFEST])
    fact = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest["files"][name] = fact
    return {**given, MANIFEST: json.dumps(manifest).encode(), name: content}


def changed(given: dict[str, bytes], **facts: Any) -> dict[str, bytes]:
    return {**given, MANIFEST: json.dumps({**json.loads(given[MANIFEST]), **facts}).encode()}


JOURNAL = "studies/digits/journal.jsonl"
OUTSIDE = "outside the study"

BAD: dict[str, tuple[Callable[[dict[str, bytes]], dict[str, bytes]], str]] = {
    "up and out": (lambda g: with_file(g, "studies/digits/../../../evil"), OUTSIDE),
    "absolute": (lambda g: with_file(g, "/tmp/evil"), OUTSIDE),
    "another study": (lambda g: with_file(g, "studies/other/study.json"), OUTSIDE),
    "the home itself": (lambda g: with_file(g, "home.json"), OUTSIDE),
    "data unasked": (lambda g: with_file(g, "data/0123456789abcdef/card.json"), OUTSIDE),
    "a dot": (lambda g: with_file(g, "trials/digits/./x"), OUTSIDE),
    "not named": (lambda g: {**g, "trials/digits/x": b"x"}, "does not name"),
    "missing": (lambda g: {k: v for k, v in g.items() if k != JOURNAL}, "it lacks"),
    "other bytes": (lambda g: {**g, JOURNAL: g[JOURNAL][::-1]}, "is damaged"),
    "longer": (lambda g: {**g, JOURNAL: g[JOURNAL] + b"x"}, "is damaged"),
    "format": (lambda g: changed(g, format=2), "has format 2"),
    "name": (lambda g: changed(g, study="../digits"), "does not read .study"),
    "another name": (lambda g: changed(g, study="numbers"), OUTSIDE),
    "key": (lambda g: changed(g, data="../../etc"), "does not read .data"),
    "no manifest": (lambda g: {k: v for k, v in g.items() if k != MANIFEST}, "no manifest"),
    "broken journal": (
        lambda g: with_file(g, JOURNAL, b"{}\n" + g[JOURNAL]),
        "holds no whole study",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=list(BAD))
def test_a_bad_archive_leaves_nothing(
    packed: tuple[Home, Path],
    tmp_path: Path,
    change: Callable[[dict[str, bytes]], dict[str, bytes]],
    message: str,
) -> None:
    there = fresh(tmp_path)
    bad = made(tmp_path / "bad.tar.gz", change(members(packed[1])))
    with pytest.raises(BadInput, match=message):
        restore_archive(there, bad)
    assert [path.name for path in there.path.rglob("*")] == ["home.json"]
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_are_refused(
    packed: tuple[Home, Path], tmp_path: Path, kind: bytes
) -> None:
    given = with_file(members(packed[1]), "trials/digits/x", b"")
    del given["trials/digits/x"]
    link = tarfile.TarInfo("trials/digits/x")
    link.type, link.linkname = kind, "/etc/passwd"
    there = fresh(tmp_path)
    with pytest.raises(BadInput, match="does not name as a plain file"):
        restore_archive(there, made(tmp_path / "bad.tar.gz", given, link))
    assert [path.name for path in there.path.rglob("*")] == ["home.json"]


@pytest.mark.parametrize("cut", [0, 10, 1_000], ids=["empty", "head", "middle"])
def test_a_cut_archive_is_refused(packed: tuple[Home, Path], tmp_path: Path, cut: int) -> None:
    bad = tmp_path / "cut.tar.gz"
    bad.write_bytes(packed[1].read_bytes()[:cut])
    there = fresh(tmp_path)
    with pytest.raises(BadInput):
        restore_archive(there, bad)
    assert [path.name for path in there.path.rglob("*")] == ["home.json"]


def test_a_bomb_is_not_unpacked_beyond_what_it_says(
    packed: tuple[Home, Path], tmp_path: Path
) -> None:
    """A file of which the manifest says one byte, and of which there are many."""
    given = with_file(members(packed[1]), "trials/digits/x")
    bad = made(tmp_path / "bad.tar.gz", {**given, "trials/digits/x": bytes(50_000_000)})
    assert bad.stat().st_size < 1_000_000
    with pytest.raises(BadInput, match="is damaged"):
        restore_archive(fresh(tmp_path), bad)


def test_no_archive_at_all_is_refused(tmp_path: Path) -> None:
    plain = tmp_path / "x.tar.gz"
    plain.write_bytes(gzip.compress(b"no tar"))
    with pytest.raises(BadInput, match="no archive"):
        restore_archive(fresh(tmp_path), plain)


def test_every_path_of_a_packed_study_fits(packed: tuple[Home, Path]) -> None:
    manifest = Manifest.model_validate_json(members(packed[1])[MANIFEST])
    assert manifest.files and all(fits(path, manifest) for path in manifest.files)
